#include "bench/scale/stack_population.h"

#include <array>
#include <vector>

#include "base/check.h"
#include "bench/scale/resident_memory.h"
#include "bench/support/crafted_segment.h"
#include "stack/stack.h"
#include "tests/support/sim_rng.h"

namespace migd::bench {
namespace {

constexpr std::uint32_t kVip = 0x0a4d6401;  // 10.77.100.1
constexpr std::uint16_t kPort = 7;
constexpr std::uint32_t kFirstClient = 0x0a4d8000u;  // 10.77.128.0
constexpr std::uint32_t kPorts = 60'000, kFirstPort = 1024;
constexpr Instant kStart{Duration(1000s)};
constexpr std::array<std::uint8_t, 64> kRequest{};

// Sends back all that has come.
class Echo : public AcceptHandler, public ConnectionHandler {
 public:
  void on_established(Connection& connection) override {
    ++opened_;
    connection.bind("echo", this);
  }
  void on_readable(Connection& connection) override {
    connection.consume(connection.write(connection.peek_front()));
  }
  void on_writable(Connection& /*connection*/) override {}
  void on_peer_closed(Connection& /*connection*/) override {}
  void on_closed(Connection& /*connection*/, CloseReason /*reason*/) override {}

  std::uint32_t opened() const { return opened_; }

 private:
  std::uint32_t opened_ = 0;
};

// A request and its echo are what is measured; the acknowledgment that follows, while all that it
// needs is in the cache, is not.
class StackPopulation : public Population, private FrameSink {
 public:
  explicit StackPopulation(std::uint32_t connections)
      : stack_(Stack::create(options(), *this, pool_, rng_, metrics_, kStart)), ends_(connections) {
    MIGD_CHECK(stack_->listen({IpAddress::v4(kVip), kPort}, "bench", &echo_).has_value());
    const ResidentMemory before;
    for (std::uint32_t i = 0; i < connections; ++i)
      open(i);
    bytes_ = before.grown();
    MIGD_CHECK(echo_.opened() == connections && stack_->counts().total == connections);
  }

  double bytes_each() const override { return bytes_ / static_cast<double>(ends_.size()); }

  double nanoseconds_per_packet(unsigned packets) override {
    Stopwatch watch;
    for (unsigned done = 0; done < packets; done += kBatch) {
      std::array<std::uint32_t, kBatch> chosen;
      std::array<Frame, kBatch> frames;
      for (unsigned i = 0; i < kBatch; ++i) {
        chosen[i] = static_cast<std::uint32_t>(rng_.below(ends_.size()));
        frames[i] = segment(chosen[i], tcp_flag::kAck | tcp_flag::kPsh, {}, kRequest);
        ends_[chosen[i]].send_next += kRequest.size();
      }
      now_ += kBatch * 1us;
      watch.start();
      for (Frame& frame : frames)
        MIGD_CHECK(stack_->input(frame, now_) == Stack::InputVerdict::kTaken);
      stack_->deliver_events(now_);
      watch.stop();
      take_answers();
      for (const std::uint32_t client : chosen)
        give(segment(client, tcp_flag::kAck, {}, {}));
      MIGD_CHECK(answers_.empty());
      if (stack_->next_deadline() <= now_) stack_->on_deadline(now_);
    }
    return watch.nanoseconds() / packets;
  }

 private:
  struct FarEnd {
    std::uint32_t send_next = 1000;
    std::uint32_t receive_next = 0;
  };

  static StackOptions options() {
    StackOptions made;
    made.node = NodeId{1};
    made.boot = Boot{1};
    made.link.tcp_gso = made.link.checksum_offload = true;  // as the daemon's devices have it
    return made;
  }

  void open(std::uint32_t client) {
    Frame syn = segment(client, tcp_flag::kSyn, kSynOptions, {});
    ++ends_[client].send_next;
    give(std::move(syn));
    take_answers();
    give(segment(client, tcp_flag::kAck, {}, {}));
  }

  Frame segment(std::uint32_t client, std::uint8_t flags, ByteView options, ByteView payload) {
    CraftedSegment made;
    made.src = IpAddress::v4(kFirstClient + client / kPorts);
    made.dst = IpAddress::v4(kVip);
    made.src_port = static_cast<std::uint16_t>(kFirstPort + client % kPorts);
    made.dst_port = kPort;
    made.seq = ends_[client].send_next;
    made.ack = (flags & tcp_flag::kAck) != 0 ? ends_[client].receive_next : 0;
    made.flags = flags;
    made.options = options;
    made.payload = payload;
    Frame frame = pool_->allocate(kCraftedHeaders + options.size() + payload.size());
    craft(made, frame.data());
    return frame;
  }

  void give(Frame frame) {
    MIGD_CHECK(stack_->input(frame, now_) == Stack::InputVerdict::kTaken);
    stack_->deliver_events(now_);
  }

  void on_frame(Frame frame, Instant /*now*/) override { answers_.push_back(std::move(frame)); }

  void take_answers() {
    MIGD_CHECK(!answers_.empty());
    for (const Frame& frame : answers_) {
      const auto ip = parse_ip(frame.bytes());
      const auto tcp = TcpView::parse(frame.bytes().subspan(ip->header_size));
      MIGD_CHECK(tcp.has_value() && !tcp->has(tcp_flag::kRst));
      const std::uint32_t client =
          (ip->dst.v4_host_order() - kFirstClient) * kPorts + tcp->dst_port() - kFirstPort;
      ends_[client].receive_next = tcp->seq().value() + tcp->seq_length();
    }
    answers_.clear();
  }

  std::shared_ptr<FramePool> pool_ = FramePool::create();
  sim::SimRng rng_{1};
  Metrics metrics_;
  Echo echo_;
  Instant now_ = kStart;
  std::vector<Frame> answers_;
  std::unique_ptr<Stack> stack_;
  std::vector<FarEnd> ends_;
  double bytes_ = 0;
};

}  // namespace

std::unique_ptr<Population> make_stack_population(std::uint32_t connections) {
  return std::make_unique<StackPopulation>(connections);
}

}  // namespace migd::bench
