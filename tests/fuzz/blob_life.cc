#include "tests/fuzz/blob_life.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "stack/assertion_guard.h"
#include "tests/fuzz/finding.h"
#include "tests/support/packets.h"
#include "tests/support/snapshot_text.h"

namespace migd::fuzz {
namespace {

constexpr int kStepsMax = 200;
constexpr std::size_t kWriteMax = 60'000;

// The application: it reads, writes and closes when the script says so.
struct Application : ConnectionHandler {
  void on_readable(Connection&) override {}
  void on_writable(Connection&) override {}
  void on_peer_closed(Connection&) override {}
  void on_closed(Connection&, CloseReason) override {}
};

StackOptions options_of(std::uint16_t node) {
  StackOptions options;
  options.node = NodeId{node};
  options.boot = Boot{node};
  options.link.mtu = 1500;
  return options;
}

// What no stack may say otherwise than it was told: the byte streams and what was announced.
std::string must_stay(const TcpSnapshot& s) {
  TcpSnapshot kept;
  kept.tuple = s.tuple;
  kept.state = s.state;
  kept.send_unacknowledged = s.send_unacknowledged;
  kept.send_next = s.send_next;
  kept.send_scale = s.send_scale;
  kept.send_data = s.send_data;
  kept.send_in_flight = s.send_in_flight;
  kept.fin_sequence = s.fin_sequence;
  kept.send_buffer_limit = s.send_buffer_limit;
  kept.receive_next = s.receive_next;
  kept.announced_right_edge = s.announced_right_edge;
  kept.receive_scale = s.receive_scale;
  kept.receive_window_limit = s.receive_window_limit;
  kept.unread = s.unread;
  kept.peer_fin_received = s.peer_fin_received;
  kept.sack_blocks = s.sack_blocks;
  kept.mss = s.mss;
  kept.announced_mss = s.announced_mss;
  kept.path_mtu = s.path_mtu;
  kept.window_scaling = s.window_scaling;
  kept.timestamps = s.timestamps;
  kept.sack = s.sack;
  kept.ts_recent = s.ts_recent;
  kept.ts_clock = s.ts_clock;
  kept.read_closed = s.read_closed;
  kept.write_closed = s.write_closed;
  kept.bytes_in = s.bytes_in;
  kept.bytes_out = s.bytes_out;
  kept.age = s.age;
  for (const auto& range : s.out_of_order) {  // neighbours may have become one
    auto& ranges = kept.out_of_order;
    if (!ranges.empty() &&
        ranges.back().first + static_cast<std::uint32_t>(ranges.back().data.size()) ==
            range.first) {
      append(ranges.back().data, range.data);
      ranges.back().fin = range.fin;
    } else {
      ranges.push_back(range);
    }
  }
  return test::to_text(kept);
}

// The lines in which the two differ: "(then) (now)".
std::string difference(const std::string& before, const std::string& after) {
  std::istringstream a(before), b(after);
  std::string found;
  for (std::string x, y; std::getline(a, x) && std::getline(b, y);) {
    if (x != y) found += "\n  " + x + " became " + y;
  }
  return found;
}

}  // namespace

struct BlobLife::Side : FrameSink, AcceptHandler {
  explicit Side(std::uint16_t node, Instant now)
      : rng(node), stack(Stack::create(options_of(node), *this, pool, rng, metrics, now)) {}

  void on_frame(Frame frame, Instant) override { sent.push_back(std::move(frame)); }
  void on_established(Connection& connection) override {
    connection.bind("established", &application);
  }

  sim::SimRng rng;
  Metrics metrics;
  std::shared_ptr<FramePool> pool = FramePool::create();
  std::vector<Frame> sent;
  Application application;
  std::unique_ptr<Stack> stack;
};

BlobLife::BlobLife() {
  for (std::uint16_t i = 0; i < 2; ++i)
    sides_[i] = std::make_unique<Side>(static_cast<std::uint16_t>(i + 1), now_);
}

BlobLife::~BlobLife() {
  for (const auto& side : sides_)
    side->stack->shut_down(now_);
  deliver();
}

Connection* BlobLife::find() {
  return owner().stack->find(tuple_);
}

void BlobLife::check_assertions() {
  for (const auto& side : sides_) {
    if (side->metrics.counter("migd_stack_quarantined_connections_total").value == 0) continue;
    const AssertionGuard::Failure& failure = AssertionGuard::last_failure();
    finding(std::string("an assertion of lwIP failed: ") + failure.message + " (" + failure.file +
            ":" + std::to_string(failure.line) + ")");
  }
}

bool BlobLife::run(const ConnectionBlob& blob, Input& script) {
  std::optional<FrozenConnection> frozen = begin(blob);
  if (!frozen) return false;
  const TcpSnapshot& tcp = blob.tcp;
  timestamps_ = tcp.timestamps;
  peer_next_ = tcp.receive_next;
  acked_ = tcp.send_unacknowledged;
  heard_end_ = tcp.send_next;
  window_ = static_cast<std::uint16_t>(tcp.send_window >> tcp.send_scale);
  tsval_ = tcp.ts_recent;
  tsecr_ = tcp.ts_clock;
  Connection& connection = frozen->connection();
  if (tcp.state != TcpState::kSynReceived) connection.bind(application_, &owner().application);
  owner().stack->thaw(std::move(*frozen), now_);
  deliver();
  for (int i = 0; i < kStepsMax && !script.empty() && find() != nullptr; ++i)
    step(script);
  if (find() != nullptr) move();
  if (find() != nullptr) pass(100s);
  return true;
}

// Attached here, and there what is captured here: the second must be the first.
std::optional<FrozenConnection> BlobLife::begin(const ConnectionBlob& blob) {
  tuple_ = blob.tcp.tuple;
  tenure_ = blob.tenure;
  service_ = blob.service;
  application_ = blob.application;
  for (const auto& side : sides_) {
    if (tuple_.local.port != 0) {
      (void)side->stack->listen(tuple_.local, service_,
                                side.get());  // it may be no address of ours
    }
  }
  auto attached = sides_[0]->stack->attach(blob.tcp, tenure_, service_, {}, now_);
  check_assertions();
  if (!attached) {
    MIGD_FUZZ_HOLDS(!attached.error().text.empty(), "a refusal without a name");
    return std::nullopt;
  }
  const TcpSnapshot first = sides_[0]->stack->capture(*attached, now_);
  if (const std::string changed = difference(must_stay(blob.tcp), must_stay(first));
      !changed.empty())
    finding("what went in came out otherwise:" + changed);
  auto again = sides_[1]->stack->attach(first, tenure_, service_, {}, now_);
  check_assertions();
  MIGD_FUZZ_HOLDS(again.has_value(),
                  again.error().text + ", of what was captured\n" + test::to_text(first));
  const TcpSnapshot second = sides_[1]->stack->capture(*again, now_);
  if (const std::string changed = difference(test::to_text(first), test::to_text(second));
      !changed.empty()) {
    finding("what was captured was captured otherwise elsewhere:" + changed);
  }
  sides_[1]->stack->release(std::move(*again), CloseReason::kMigrated);
  deliver();
  MIGD_FUZZ_HOLDS(sides_[0]->sent.empty() && sides_[1]->sent.empty(), "a frozen connection talks");
  return std::optional<FrozenConnection>(std::move(*attached));
}

void BlobLife::move() {
  Connection& connection = *find();
  Stack& from = *owner().stack;
  Side& target = *sides_[1 - owner_];
  FrozenConnection frozen = from.freeze(connection, now_);
  hear();
  ConnectionBlob blob;
  blob.tenure = {tenure_.connection, Epoch{connection.epoch().value + 1}};
  blob.service = connection.service();
  blob.application = connection.application();
  blob.tcp = from.capture(frozen, now_);
  const Result<ConnectionBlob> arrived = decode_blob(encode_blob(blob));
  MIGD_FUZZ_HOLDS(arrived.has_value(), arrived.error().text);
  auto attached = target.stack->attach(arrived->tcp, arrived->tenure, arrived->service, {}, now_);
  check_assertions();
  MIGD_FUZZ_HOLDS(attached.has_value(),
                  attached.error().text + ", of what was captured\n" + test::to_text(blob.tcp));
  const TcpSnapshot after = target.stack->capture(*attached, now_);
  if (const std::string changed = difference(test::to_text(blob.tcp), test::to_text(after));
      !changed.empty()) {
    finding("what left arrived otherwise:" + changed);
  }
  const bool bound = connection.handler() != nullptr;
  from.release(std::move(frozen), CloseReason::kMigrated);
  deliver();
  MIGD_FUZZ_HOLDS(owner().sent.empty() && target.sent.empty(), "a frozen connection talks");
  owner_ = 1 - owner_;
  if (bound) attached->connection().bind(blob.application, &target.application);
  target.stack->thaw(std::move(*attached), now_);
  deliver();
}

void BlobLife::deliver() {
  for (const auto& side : sides_)
    side->stack->deliver_events(now_);
  hear();
  check_assertions();
}

// What the peer learns from the segments.
void BlobLife::hear() {
  for (Frame& frame : owner().sent) {
    const auto ip = parse_ip(frame.bytes());
    MIGD_FUZZ_HOLDS(ip.has_value(), "sent what is no IP packet");
    const auto l4 = frame.bytes().subspan(ip->header_size, ip->total_size - ip->header_size);
    const auto tcp = TcpView::parse(l4);
    MIGD_FUZZ_HOLDS(tcp.has_value(), "sent what is no TCP segment");
    heard_end_ = std::max(heard_end_, tcp->seq() + tcp->seq_length());
  }
  owner().sent.clear();
}

void BlobLife::pass(Duration time) {
  const Instant until = now_ + time;
  for (int i = 0; i < 100; ++i) {
    const Instant next = owner().stack->next_deadline();
    if (next > until) break;
    now_ = std::max(now_, next);
    owner().stack->on_deadline(now_);
    deliver();
  }
  now_ = std::max(now_, until);
  owner().stack->on_deadline(now_);
  deliver();
}

// ---- what the script may say ----

void BlobLife::step(Input& script) {
  Connection& connection = *find();
  switch (script.below(12)) {
    case 0:
      return give_data(script, true);
    case 1:
      return give_data(script, false);
    case 2:
      acked_ = heard_end_;
      return give(tcp_flag::kAck, peer_next_, acked_, {});
    case 3: {
      const std::int32_t fresh = heard_end_ - acked_;
      if (fresh > 0) acked_ += script.size() % (static_cast<std::uint32_t>(fresh) + 1);
      return give(tcp_flag::kAck, peer_next_, acked_, {});
    }
    case 4:
      window_ = script.u16();
      return give(tcp_flag::kAck, peer_next_, acked_, {});
    case 5:
      return pass(Duration(1us) * script.size() * (std::uint32_t{1} << script.below(8)));
    case 6: {
      connection.write(test::ramp(std::min<std::size_t>(script.size(), kWriteMax)));
      return deliver();
    }
    case 7:
      if (connection.handler() != nullptr)
        connection.consume(std::min<std::size_t>(script.size(), connection.readable()));
      return deliver();
    case 8:
      connection.shutdown_write();
      return deliver();
    case 9:
      if (script.flag()) {
        connection.close();
      } else if (script.below(8) == 0) {
        connection.abort();
      }
      return deliver();
    case 10:
      return move();
    case 11:
      return give_raw(script);
  }
}

void BlobLife::give_data(Input& script, bool in_order) {
  const std::size_t size = script.size() % 3000;
  const bool fin = script.below(8) == 0;
  SeqNum seq = peer_next_;
  if (!in_order) seq = seq + script.size() - script.size();
  const auto flags = static_cast<std::uint8_t>(tcp_flag::kAck | (fin ? tcp_flag::kFin : 0));
  if (in_order) peer_next_ += static_cast<std::uint32_t>(size);
  give(flags, seq, acked_, test::ramp(size));
}

void BlobLife::give_raw(Input& script) {
  const std::uint8_t flags = script.u8();
  const SeqNum seq = peer_next_ + script.size() - script.size();
  const SeqNum ack = heard_end_ + script.size() - script.size();
  ByteView options = script.bytes(script.below(11) * std::size_t{4});
  options = options.first(options.size() / 4 * 4);
  give(flags, seq, ack, script.bytes(script.below(64)), options);
}

void BlobLife::give(std::uint8_t flags, SeqNum seq, SeqNum ack, ByteView payload,
                    ByteView options) {
  test::TcpFields fields;
  fields.src = tuple_.peer;
  fields.dst = tuple_.local;
  fields.seq = seq.value();
  fields.ack = ack.value();
  fields.flags = flags;
  fields.window = window_;
  fields.options = to_bytes(options);
  if (timestamps_ && options.empty()) {
    ByteWriter out(fields.options);
    out.u32(0x0101080a);  // NOP, NOP, timestamps
    out.u32(++tsval_);
    out.u32(tsecr_);
  }
  fields.payload = to_bytes(payload);
  Frame frame = owner().pool->copy_of(test::tcp_packet(fields));
  owner().stack->input(frame, now_);
  deliver();
}

}  // namespace migd::fuzz
