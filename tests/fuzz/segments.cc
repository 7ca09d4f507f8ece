// Fuzzer `segments`: a real handshake, and then whatever a client, a stranger, a router, the
// application and the clock can do: segments whose numbers are relative to the live ones, jumps of
// time, reads, writes and closes, and moves to another stack by way of a blob. The peer of
// tests/support watches what it hears; the application must read the stream that was sent, and
// nothing may trip an assertion.
#include <algorithm>
#include <optional>

#include "stack/assertion_guard.h"
#include "tests/fuzz/finding.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/listener.h"
#include "tests/stack/test_bed.h"
#include "tests/support/icmp.h"

namespace migd::fuzz {
namespace {

using test::PeerOptions;
using test::TestBed;

constexpr int kStepsMax = 300;
constexpr std::size_t kPayloadMax = 3000;
constexpr std::size_t kWriteMax = 60'000;

PeerOptions peer_options(Input& in) {
  const std::uint8_t bits = in.u8();
  PeerOptions options = (bits & 1) != 0 ? PeerOptions::v6() : PeerOptions{};
  options.sack = (bits & 2) == 0;
  options.timestamps = (bits & 4) == 0;
  if ((bits & 8) != 0) options.window_scale.reset();
  if ((bits & 16) != 0) options.mss = in.u16();
  if ((bits & 32) != 0) options.window = in.u16();
  if ((bits & 64) != 0) options.iss = 0xffffff00;  // the numbers go around
  return options;
}

StackOptions stack_options(Input& in) {
  StackOptions options = test::default_options();
  const std::uint8_t bits = in.u8();
  if ((bits & 1) != 0) options.window = 4u << 10;
  if ((bits & 2) != 0) options.send_buffer = 4u << 10;
  if ((bits & 4) != 0) options.keepalive_idle = 30s;
  if ((bits & 8) != 0) options.congestion_control = CongestionAlgorithm::kReno;
  if ((bits & 16) != 0) options.user_timeout = 20s;
  return options;
}

class Life {
 public:
  explicit Life(Input& in)
      : in_(in), bed_(test::Moves::kNever, peer_options(in), stack_options(in)) {
    bed_.peer.may_be_followed = true;  // once it is in TIME_WAIT
    bed_.give(bed_.peer.syn());
    if (in_.flag()) move();  // half-open
    if (in_.flag()) return;  // and the script completes the handshake, or not
    bed_.give(bed_.peer.ack());
  }

  void run() {
    for (int i = 0; i < kStepsMax && !in_.empty() && !over(); ++i) {
      step();
      bind();
      check();
    }
    move();
    pass(100s);
    check();
  }

 private:
  Connection* connection() { return bed_.find(); }
  bool over() { return bed_.peer.followed || connection() == nullptr; }

  void bind() {
    Connection* const live = connection();
    if (live == nullptr || live->handler() != nullptr || live->state() == TcpState::kSynReceived ||
        bed_.owner->established.empty()) {
      return;
    }
    live->bind("app", &bed_.app);
    bed_.deliver();
  }

  // Bytes of the peer's stream, from a sequence number on: the same, however often they come.
  Bytes stream(SeqNum from, std::size_t size) const {
    return test::ramp(size, (from - SeqNum(bed_.peer.options.iss + 1) + 251u * 0x1000000u) % 251);
  }

  void give(const Bytes& packet, bool train = false) {
    Frame frame = bed_.owner->pool->copy_of(packet);
    if (train) {
      frame.offload.gso = Offload::Gso::kTcp;
      frame.offload.gso_size = 500;
    }
    (void)bed_.owner->stack->input(frame, bed_.now);  // it may be nobody's
    bed_.deliver();
  }

  // A segment of which every number is near to a live one.
  void give_segment() {
    const std::uint8_t flags = in_.u8() & 0x3f;
    test::SegmentChange change;
    const SeqNum bases[] = {bed_.peer.acked, bed_.peer.right_edge, bed_.peer.send_next,
                            SeqNum(bed_.peer.options.iss)};
    const SeqNum seq = bases[in_.below(4)] + offset();
    change.seq = seq;
    const SeqNum acks[] = {bed_.peer.receive_next, bed_.peer.first_byte};
    if (in_.flag()) change.ack = acks[in_.below(2)] + offset();
    if (in_.flag()) change.window = in_.size();
    if (in_.flag()) change.options = options();
    const std::size_t size = (flags & tcp_flag::kSyn) != 0 ? 0 : in_.size() % kPayloadMax;
    const bool train = size > 500 && in_.flag();
    sent_up_to(seq + static_cast<std::uint32_t>(size) + ((flags & tcp_flag::kFin) != 0 ? 1u : 0u));
    give(bed_.peer.segment(flags, stream(seq, size), change), train);
  }

  std::uint32_t offset() {
    const std::uint32_t size = in_.size();
    return in_.flag() ? 0u - size : size;
  }

  Bytes options() {
    const ByteView chosen = in_.bytes(in_.below(41));
    Bytes padded = to_bytes(chosen);
    padded.resize((padded.size() + 3) / 4 * 4);
    return padded;
  }

  void sent_up_to(SeqNum end) {
    if (end > bed_.peer.send_next) bed_.peer.send_next = end;
  }

  void give_data() {
    const SeqNum from = bed_.peer.acked;
    const std::size_t size = in_.size() % kPayloadMax;
    sent_up_to(from + static_cast<std::uint32_t>(size));
    give(bed_.peer.data(stream(from, size), {.seq = from}));
  }

  void acknowledge_selectively() {
    const SeqNum base = bed_.peer.receive_next;
    std::vector<TcpOptions::SackBlock> blocks;
    for (std::uint8_t i = in_.below(4); i > 0; --i) {
      const SeqNum left = base + offset();
      blocks.push_back({left, left + in_.size()});
    }
    const std::uint32_t held = in_.size();  // of what came, not acknowledged
    give(bed_.peer.ack({.seq = bed_.peer.acked, .ack = base - held, .sack = blocks}));
  }

  void pass(Duration time) {
    if (connection() != nullptr) bed_.run_for(time);
  }

  void move() {
    if (connection() != nullptr) bed_.move();
  }

  void application() {
    Connection& live = *connection();
    switch (in_.below(8)) {
      case 0:
      case 1:
      case 2:
        written_ += live.write(test::ramp(std::min<std::size_t>(in_.size(), kWriteMax), written_));
        break;
      case 3:
        bed_.app.reads = !bed_.app.reads;
        break;
      case 4:
        bed_.app.on_readable(live);
        break;
      case 5:
        live.shutdown_write();
        break;
      case 6:
        live.close();
        break;
      case 7:
        if (in_.below(8) == 0) live.abort();
        break;
    }
    bed_.deliver();
  }

  void step() {
    switch (in_.below(10)) {
      case 0:
      case 1:
        return give_segment();
      case 2:
        return give_data();
      case 3:
        if (last_sent_ && in_.flag()) return give(test::too_big(*last_sent_, in_.u16()));
        return give(bed_.peer.ack({.seq = bed_.peer.acked}));
      case 4:
        return acknowledge_selectively();
      case 5:
        return pass(Duration(1us) * in_.size() * (std::uint32_t{1} << in_.below(10)));
      case 6:
      case 7:
        return application();
      case 8:
        return move();
      case 9:
        return give(bed_.peer.fin({}, {.seq = bed_.peer.acked}));
    }
  }

  void check() {
    for (test::TestNode* node : {&bed_.a, &bed_.b}) {
      if (node->metrics.counter("migd_stack_quarantined_connections_total").value == 0) continue;
      const AssertionGuard::Failure& failure = AssertionGuard::last_failure();
      finding(std::string("an assertion of lwIP failed: ") + failure.message + " (" + failure.file +
              ":" + std::to_string(failure.line) + ")");
    }
    const Bytes& received = bed_.app.received;
    for (; checked_ < received.size(); ++checked_) {
      MIGD_FUZZ_HOLDS(received[checked_] == checked_ % 251, "other bytes than were sent");
    }
    if (!bed_.wire.empty()) last_sent_ = bed_.wire.back();
    bed_.wire.clear();
  }

  Input& in_;
  TestBed bed_;
  std::optional<test::SeenSegment> last_sent_;
  std::size_t written_ = 0, checked_ = 0;
};

}  // namespace
}  // namespace migd::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  migd::fuzz::listen_to_expectations();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  migd::fuzz::Input in({data, size});
  migd::fuzz::Life(in).run();
  return 0;
}
