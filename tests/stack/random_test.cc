// Random walks: a peer and an application that do what comes to their minds over a path that loses,
// repeats and reorders, with the connection moving at random. The streams must arrive as they were
// sent, every state must be one that can move, and no assertion may fail.
//
// MIGD_STACK_SEEDS=N walks N seeds instead of the usual ones, MIGD_STACK_SEED=S that one alone.
#include <cstdlib>
#include <utility>

#include "tests/stack/test_bed.h"
#include "tests/support/snapshot_text.h"

namespace migd::test {
namespace {

constexpr int kSteps = 400;
constexpr int kRounds = 3000;  // to end in order: long enough for every timer that backs off

class Walk {
 public:
  Walk(std::uint64_t seed, bool with_moves)
      : rng_(seed),
        moves_(with_moves),
        bed_(Moves::kNever, peer_options(rng_), stack_options(rng_)) {}

  void run() {
    bed_.app.reads = false;
    bed_.connect();
    last_ = bed_.find();
    part_ = bed_.peer.receive_next;
    const int ours = closes_at(), theirs = closes_at();
    for (int i = 0; i < kSteps && bed_.find() != nullptr; ++i) {
      if (i == ours) close_ours();
      if (i >= theirs) their_end_ = true;
      step();
    }
    finish();
    for (TestNode* node : {&bed_.a, &bed_.b}) {
      EXPECT_EQ(node->metrics.counter("migd_stack_quarantined_connections_total").value, 0u);
    }
  }

 private:
  static PeerOptions peer_options(sim::SimRng& rng) {
    PeerOptions options = rng.chance(0.3) ? PeerOptions::plain() : PeerOptions{};
    if (rng.chance(0.3)) {
      const PeerOptions v6 = PeerOptions::v6();
      options.local = v6.local;
      options.remote = v6.remote;
    }
    if (rng.chance(0.2)) options.mss = static_cast<std::uint16_t>(rng.below(600));
    if (rng.chance(0.2)) options.timestamps = !options.timestamps;
    if (rng.chance(0.2)) options.window = static_cast<std::uint32_t>(rng.below(3000));
    options.iss = rng.chance(0.3) ? 0xffffff00u : static_cast<std::uint32_t>(rng.next());
    return options;
  }
  static StackOptions stack_options(sim::SimRng& rng) {
    StackOptions options = default_options();
    if (rng.chance(0.5)) options.window = 3000 + static_cast<std::uint32_t>(rng.below(40000));
    if (rng.chance(0.5)) options.send_buffer = 3000 + static_cast<std::uint32_t>(rng.below(40000));
    return options;
  }

  // ---- the path ----

  // To the stack, perhaps late, twice or never.
  void send(const Bytes& packet) {
    if (rng_.chance(0.1)) return;
    late_.push_back(packet);
    if (rng_.chance(0.1)) late_.push_back(packet);
    while (!late_.empty() && (late_.size() > 5 || rng_.chance(0.8))) {
      const auto at = rng_.chance(0.8) ? 0 : static_cast<std::ptrdiff_t>(rng_.below(late_.size()));
      const Bytes next = late_[static_cast<std::size_t>(at)];
      late_.erase(late_.begin() + at);
      give(next);
    }
  }
  void give(const Bytes& packet) {
    Frame frame = bed_.owner->pool->copy_of(packet);
    bed_.stack().input(frame, bed_.now);
    deliver();
  }
  // From the stack: what is lost here, the peer does not take.
  void deliver() {
    bed_.owner->stack->deliver_events(bed_.now);
    std::vector<SeenSegment>& sent = bed_.owner->sent;
    for (const SeenSegment& segment : sent) {
      if (!rng_.chance(loss_)) bed_.peer.take(segment);
    }
    sent.clear();
  }
  void pass(Duration time) {
    bed_.now += time;
    bed_.stack().on_deadline(bed_.now);
    deliver();
  }

  // ---- what the two ends may do ----

  // Half of them close in the middle of the walk, the others in finish().
  int closes_at() { return static_cast<int>(rng_.below(2 * kSteps)); }

  void step() {
    switch (rng_.below(11)) {
      case 0:
      case 1:
        return send_new_data();
      case 2:
        return send_old_data();
      case 3:
      case 4:
        return send(bed_.peer.ack());
      case 5:
        bed_.peer.window = static_cast<std::uint32_t>(rng_.below(rng_.chance(0.3) ? 50 : 60000));
        return send(bed_.peer.ack());
      case 6:
        return acknowledge_a_part();
      case 7:
        return write();
      case 8:
        return read(rng_.below(2000));
      case 9:
        return pass(Duration(rng_.below(400'000'000)));
      case 10:
        return move();
    }
  }

  SeqNum first() const { return SeqNum(bed_.peer.options.iss + 1); }
  SeqNum end() const { return first() + static_cast<std::uint32_t>(sent_.size()); }

  void send_new_data() {
    if (their_end_) return send(bed_.peer.fin({}, {.seq = end()}));
    const std::int32_t room = bed_.peer.right_edge - bed_.peer.send_next;
    if (room <= 0) return;
    const std::size_t at = sent_.size();
    const auto most = std::min<std::uint64_t>(static_cast<std::uint64_t>(room), 3000);
    append(sent_, ramp(1 + rng_.below(most), at));
    send(bed_.peer.data(ByteView(sent_).subspan(at)));
  }

  void send_old_data() {
    const auto done = static_cast<std::size_t>(std::max(bed_.peer.acked - first(), 0));
    if (done >= sent_.size()) return;
    const std::size_t at = rng_.chance(0.7) ? done : rng_.below(sent_.size());
    const std::size_t n = 1 + rng_.below(std::min<std::size_t>(sent_.size() - at, 1400));
    send(bed_.peer.data(ByteView(sent_).subspan(at, n),
                        {.seq = first() + static_cast<std::uint32_t>(at)}));
  }

  // Less than has arrived, and not at the end of a segment.
  void acknowledge_a_part() {
    const std::int32_t fresh = bed_.peer.receive_next - part_;
    if (fresh <= 0) return;
    part_ += static_cast<std::uint32_t>(rng_.below(static_cast<std::uint64_t>(fresh)));
    send(bed_.peer.ack({.ack = part_}));
  }

  void write() {
    Connection& connection = *bed_.find();
    const std::size_t n = std::min<std::size_t>(connection.writable(), 1 + rng_.below(5000));
    if (n > 0 && !our_end_) written_ += connection.write(ramp(n, written_));
    deliver();
  }

  void close_ours() {
    if (std::exchange(our_end_, true)) return;
    bed_.find()->shutdown_write();
    deliver();
  }

  void read(std::size_t most) {
    // What was received outlives the TCP connection, until its handler has heard on_closed().
    Connection* const connection = bed_.app.closed_events == 0 ? last_ : bed_.find();
    if (connection == nullptr) return;
    Bytes piece(std::min(most, connection->readable()));
    connection->peek(0, piece);
    connection->consume(piece.size());
    append(read_, piece);
    deliver();
  }

  void move() {
    if (!moves_ || bed_.find() == nullptr) return;
    deliver();
    Connection& connection = *bed_.find();
    TestNode* const from = bed_.owner;
    TestNode* const to = from == &bed_.a ? &bed_.b : &bed_.a;
    FrozenConnection frozen = from->stack->freeze(connection, bed_.now);
    from->sent.clear();  // what freezing has flushed is lost
    const TcpSnapshot snapshot = from->stack->capture(frozen, bed_.now);
    const Tenure tenure{connection.id(), Epoch{connection.epoch().value + 1}};
    auto attached =
        to->stack->attach(travelled(snapshot, tenure), tenure, "web", Duration::zero(), bed_.now);
    if (!attached) {
      ADD_FAILURE() << attached.error().text << "\n" << to_text(snapshot);
      from->stack->thaw(std::move(frozen), bed_.now);
      moves_ = false;
      return;
    }
    connection.bind("app", nullptr);
    from->stack->release(std::move(frozen), CloseReason::kMigrated);
    from->stack->deliver_events(bed_.now);
    EXPECT_TRUE(from->sent.empty());
    EXPECT_TRUE(to->sent.empty());
    bed_.owner = to;
    last_ = &attached->connection();
    attached->connection().bind("app", &bed_.app);
    to->stack->thaw(std::move(*attached), bed_.now);
    deliver();
  }

  // ---- the end: the path becomes good, and both sides close in order ----

  void finish() {
    loss_ = 0;
    late_.clear();
    bed_.peer.window = 60000;
    const int ours = static_cast<int>(rng_.below(kRounds / 4));
    const int theirs = static_cast<int>(rng_.below(kRounds / 4));
    for (int i = 0; i < kRounds && bed_.find() != nullptr; ++i) {
      if (i == ours) close_ours();
      if (i >= theirs) their_end_ = true;
      give(next_in_order());
      read(1u << 20);
      if (rng_.chance(0.2)) move();
      pass(150ms);
    }
    read(1u << 20);
    EXPECT_TRUE(read_ == sent_) << read_.size() << " of " << sent_.size() << " bytes";
    EXPECT_TRUE(bed_.peer.received == ramp(written_))
        << bed_.peer.received.size() << " of " << written_ << " bytes";
    EXPECT_TRUE(bed_.peer.fin_received);
    EXPECT_FALSE(bed_.peer.reset_received);
    EXPECT_EQ(bed_.find(), nullptr);
  }

  // What a peer would send that has noticed what was lost: data, its FIN, or only an ACK.
  Bytes next_in_order() {
    const auto done = static_cast<std::size_t>(std::max(bed_.peer.acked - first(), 0));
    const std::int32_t room = bed_.peer.right_edge - bed_.peer.acked;
    if (done < sent_.size() && room > 0) {
      const std::size_t n =
          std::min({sent_.size() - done, std::size_t{1400}, static_cast<std::size_t>(room)});
      return bed_.peer.data(ByteView(sent_).subspan(done, n), {.seq = bed_.peer.acked});
    }
    if (done == sent_.size() && their_end_) return bed_.peer.fin({}, {.seq = end()});
    return bed_.peer.ack();
  }

  sim::SimRng rng_;
  bool moves_;
  TestBed bed_;
  Connection* last_ = nullptr;  // the owner's
  std::vector<Bytes> late_;
  Bytes sent_, read_;  // by the peer; by the application
  std::size_t written_ = 0;
  bool our_end_ = false, their_end_ = false;
  double loss_ = 0.1;
  SeqNum part_;  // the last acknowledgment of a part
};

std::uint64_t environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void walk_all(bool with_moves) {
  const bool one = std::getenv("MIGD_STACK_SEED") != nullptr;
  std::uint64_t seed = environment("MIGD_STACK_SEED", 1);
  const std::uint64_t last = one ? seed : environment("MIGD_STACK_SEEDS", 100);
  for (; seed <= last && !::testing::Test::HasFailure(); ++seed) {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    SCOPED_TRACE("replay: MIGD_STACK_SEED=" + std::to_string(seed) +
                 " stack_test --gtest_filter=" + info->test_suite_name() + "." + info->name());
    Walk(seed, with_moves).run();
  }
}

TEST(RandomWalk, WithoutMoves) {
  walk_all(false);
}

TEST(RandomWalk, WithMoves) {
  walk_all(true);
}

}  // namespace
}  // namespace migd::test
