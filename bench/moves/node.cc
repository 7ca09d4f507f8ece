#include "bench/moves/node.h"

#include "base/check.h"
#include "tests/support/packets.h"

namespace migd::bench {
namespace {

constexpr std::uint8_t kScale = 7;
constexpr std::uint16_t kWindow = 0xffff;  // 8 MiB, scaled

// MSS, SACK permitted, timestamps, window scale (RFC 9293 3.2, RFC 2018, RFC 7323).
const Bytes kSynOptions{2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0x10, 0, 0, 0, 0, 0, 1, 3, 3, kScale};

// The echoed timestamp is zero: nothing here measures round trips by it.
const Bytes kTimestamps{1, 1, 8, 10, 0, 0, 0x10, 1, 0, 0, 0, 0};

}  // namespace

Bytes FarEnd::syn() {
  return test::tcp_packet({.src = local,
                           .dst = remote,
                           .seq = send_next++,
                           .ack = 0,
                           .flags = tcp_flag::kSyn,
                           .window = kWindow,
                           .options = kSynOptions});
}

Bytes FarEnd::ack() const {
  return test::tcp_packet({.src = local,
                           .dst = remote,
                           .seq = send_next,
                           .ack = receive_next,
                           .window = kWindow,
                           .options = kTimestamps});
}

Node::Node(std::uint16_t id, const StackOptions& given, const Endpoint& vip, Instant now)
    : vip_(vip), rng_(id) {
  StackOptions options = given;
  options.node = NodeId{id};
  options.boot = Boot{id};
  stack_ = Stack::create(options, *this, pool_, rng_, metrics_, now);
  MIGD_CHECK(stack_->listen(vip, "bench", this).has_value());
}

void Node::on_frame(Frame frame, Instant) {
  const auto ip = parse_ip(frame.bytes());
  MIGD_CHECK(ip.has_value());
  const auto tcp = TcpView::parse(frame.bytes().subspan(ip->header_size));
  MIGD_CHECK(tcp.has_value() && !tcp->has(tcp_flag::kRst));
  far_end_.receive_next = tcp->seq().value() + tcp->seq_length();
}

void Node::give(const Bytes& packet, Instant now) {
  Frame frame = pool_->copy_of(packet);
  MIGD_CHECK(stack_->input(frame, now) == Stack::InputVerdict::kTaken);
  stack_->deliver_events(now);
}

void Node::write(Connection& connection, std::uint32_t bytes, Instant now) {
  MIGD_CHECK(connection.write(test::ramp(bytes)) == bytes);
  stack_->deliver_events(now);
}

Connection& Node::open(const Endpoint& client, std::uint32_t unacknowledged, Instant now) {
  far_end_ = {client, vip_};
  opened_ = nullptr;
  give(far_end_.syn(), now);
  give(far_end_.ack(), now);
  MIGD_CHECK(opened_ != nullptr);
  if (unacknowledged == 0) return *opened_;
  // The congestion window grows until all of it is in flight at once.
  for (write(*opened_, unacknowledged, now); opened_->unsent() > 0;) {
    while (opened_->unacknowledged() > 0)
      give(far_end_.ack(), now);
    write(*opened_, unacknowledged, now);
  }
  MIGD_CHECK(opened_->unacknowledged() == unacknowledged);
  return *opened_;
}

}  // namespace migd::bench
