// What all connections of a node together may keep.
#include "stack/memory_budget.h"
#include "tests/stack/test_bed.h"

namespace migd::test {
namespace {

constexpr std::uint64_t kMemory = 200'000;
constexpr auto kEach = static_cast<std::size_t>(MemoryBudget::kEach);

StackOptions with_memory() {
  StackOptions options = default_options();
  options.memory = kMemory;
  return options;
}

TEST(MemoryBudgetTest, SharesWhenItIsScarce) {
  MemoryBudget budget(kMemory);
  std::uint64_t one = 0, other = 0;
  budget.recount(one, kMemory * 3 / 4 - 1);
  EXPECT_FALSE(budget.scarce());
  EXPECT_EQ(budget.new_room(0, 2), kMemory / 4 + 1);
  budget.recount(other, 1);
  EXPECT_TRUE(budget.scarce());
  EXPECT_EQ(budget.share(2), kMemory / 2);
  EXPECT_EQ(budget.share(1000), kEach);
  EXPECT_EQ(budget.new_room(one, 2), 0u) << "it has more than its share";
  EXPECT_EQ(budget.room(one), kMemory / 4) << "and what it was promised";
  EXPECT_EQ(budget.new_room(other, 2), kMemory / 4);
}

TEST(MemoryBudgetTest, EachGoesOnWhenItIsFull) {
  MemoryBudget budget(kMemory);
  std::uint64_t one = 0, other = 0;
  budget.recount(one, kMemory);
  EXPECT_TRUE(budget.full());
  budget.recount(other, 1000);
  EXPECT_EQ(budget.room(one), 0u);
  EXPECT_EQ(budget.room(other), kEach - 1000);
  EXPECT_EQ(budget.new_room(other, 2), kEach - 1000);
  budget.recount(one, 0);
  EXPECT_EQ(budget.kept(), 1000u);
  EXPECT_FALSE(budget.scarce());
}

// ---- a connection alone ----

class MemoryTest : public MovingTest {
 protected:
  void SetUp() override {
    rebuild(peer_options(), with_memory());
    bed().connect();
  }
  // Data in order that nobody reads, until no more is taken; how much was.
  std::size_t fill() {
    bed().app.reads = false;
    std::size_t sent = 0;
    for (; sent < 2 * kMemory && bed().peer.acked == bed().peer.send_next; sent += 1400) {
      bed().give(bed().peer.data(ramp(1400, sent)));
      bed().run_for(50ms);
    }
    return bed().find()->readable();
  }
  std::uint64_t kept() { return bed().stack().counts().memory; }
  std::uint64_t dropped() {
    return bed().a.stack->drops().of(DropReason::kMemoryLimit) +
           bed().b.stack->drops().of(DropReason::kMemoryLimit);
  }
};
MIGD_MOVING_SUITE(MemoryTest);

TEST_P(MemoryTest, WhatIsNotReadIsBounded) {
  const std::size_t taken = fill();
  EXPECT_EQ(taken, kMemory) << "of what was promised, all that there is room for";
  EXPECT_EQ(kept(), kMemory);
  EXPECT_EQ(dropped(), 1u);

  const Bytes rest = ramp(static_cast<std::size_t>(bed().peer.send_next - bed().peer.acked), taken);
  bed().app.reads = true;
  bed().consume_all();
  EXPECT_EQ(kept(), 0u);
  bed().give(bed().peer.data(rest, {.seq = bed().peer.acked}));
  bed().run_for(50ms);
  EXPECT_EQ(bed().app.received, ramp(taken + rest.size()));
  EXPECT_EQ(bed().peer.acked, bed().peer.send_next);
}

TEST_P(MemoryTest, AnAcknowledgmentIsTakenAllTheSame) {
  if (moving()) return;  // more than there may be, which no node would take
  fill();
  EXPECT_EQ(bed().write(ramp(1000)), 1000u);
  EXPECT_EQ(bed().find()->unacknowledged(), 1000u);
  EXPECT_EQ(kept(), kMemory + 1000);
  bed().give(bed().peer.data(ramp(100), {.seq = bed().peer.acked}));
  EXPECT_EQ(bed().find()->unacknowledged(), 0u);
  EXPECT_EQ(kept(), kMemory);
}

TEST_P(MemoryTest, WhatIsOutOfOrderCounts) {
  bed().give(bed().peer.data(ramp(1000, 1000), {.seq = bed().peer.send_next + 1000}));
  EXPECT_EQ(kept(), 1000u);
  bed().give(bed().peer.data(ramp(500, 3000), {.seq = bed().peer.send_next + 3000}));
  EXPECT_EQ(kept(), 1500u);
  const Bytes first = bed().peer.data(ramp(1000));
  bed().peer.send_next += 2500;
  bed().give(first);
  EXPECT_EQ(kept(), 500u);
}

TEST_P(MemoryTest, WhatIsToBeSentCounts) {
  EXPECT_EQ(bed().write(ramp(1'000'000)), std::size_t{128} << 10);
  EXPECT_EQ(kept(), std::size_t{128} << 10);
  Bytes all = ramp(std::size_t{128} << 10);
  for (int i = 0; i < 60 && bed().peer.received.size() < all.size(); ++i)
    bed().give(bed().peer.ack());
  bed().give(bed().peer.ack());
  EXPECT_EQ(bed().peer.received, all);
  EXPECT_EQ(kept(), 0u);
  bed().close();
  bed().give(bed().peer.fin());
  EXPECT_EQ(bed().state(), TcpState::kTimeWait);
  EXPECT_EQ(kept(), 0u) << "a FIN is no data";
}

TEST_P(MemoryTest, WhoClosesKeepsNothingUnread) {
  fill();
  bed().close();
  EXPECT_EQ(kept(), 0u);
}

// ---- beside another, whose data nobody reads ----

class MemoryOfAllTest : public ::testing::Test {
 protected:
  static PeerOptions from_port(std::uint16_t port) {
    PeerOptions options;
    options.local.port = port;
    return options;
  }
  void give(Peer& from, const Bytes& packet) {
    Frame frame = bed_.a.pool->copy_of(packet);
    EXPECT_EQ(bed_.a.stack->input(frame, bed_.now), Stack::InputVerdict::kTaken);
    bed_.a.stack->deliver_events(bed_.now);
    for (const SeenSegment& segment : bed_.a.sent)
      from.take(segment);
    bed_.a.sent.clear();
  }
  void fill(std::size_t bytes) {
    give(greedy_, greedy_.syn());
    give(greedy_, greedy_.ack());
    for (; bytes > 0; bytes -= std::min<std::size_t>(bytes, 1000))
      give(greedy_, greedy_.data(ramp(std::min<std::size_t>(bytes, 1000))));
  }
  std::uint64_t drops() { return bed_.stack().drops().of(DropReason::kMemoryLimit); }
  std::uint64_t counted(std::string_view name) { return bed_.a.metrics.counter(name).value; }
  static std::int32_t window(const Peer& peer) { return peer.right_edge - peer.send_next; }

  TestBed bed_{Moves::kNever, {}, with_memory()};
  Peer greedy_{from_port(7)};
};

TEST_F(MemoryOfAllTest, ANewWindowIsAShare) {
  bed_.connect();
  bed_.give(bed_.peer.data(ramp(1000)));
  bed_.run_for(50ms);
  EXPECT_GT(window(bed_.peer), 1'000'000);
  fill(kMemory * 3 / 4);
  Peer third(from_port(8));
  give(third, third.syn());
  give(third, third.ack());
  Connection& connection = *bed_.a.established.back();
  TestApp app;
  connection.bind("app", &app);
  for (int i = 0; i < 100; ++i) {
    give(third, third.data(ramp(1000)));
    EXPECT_LE(window(third), static_cast<std::int32_t>(kMemory) / 2) << "of two, when it began";
  }
  EXPECT_LE(window(third), static_cast<std::int32_t>(kMemory) / 3);
  EXPECT_GT(window(third), 60'000);
  EXPECT_GT(counted("migd_memory_limited_windows_total"), 0u);
  EXPECT_EQ(drops(), 0u);

  give(greedy_, greedy_.rst());
  EXPECT_EQ(bed_.stack().counts().memory, 0u);
  for (int i = 0; i < 10; ++i)
    give(third, third.data(ramp(1000)));
  EXPECT_GT(window(third), 900'000) << "there is room again";
}

// The reader waits for more than there was room for, and consumes nothing.
TEST_F(MemoryOfAllTest, AWindowThatWasWithheldOpensForAProbe) {
  fill(kMemory * 3 / 4);
  std::optional<Peer> last;
  for (std::uint16_t port = 100; port < 160; ++port) {
    last.emplace(from_port(port));
    give(*last, last->syn());
    give(*last, last->ack());
  }
  const auto sent = static_cast<std::size_t>(window(*last));
  EXPECT_LE(sent, kEach);
  give(*last, last->data(ramp(sent / 2)));
  give(*last, last->data(ramp(sent - sent / 2, sent / 2)));
  EXPECT_EQ(bed_.stack().counts().memory, kMemory * 3 / 4 + sent);
  give(*last, last->ack({.seq = last->send_next - 1}));
  EXPECT_EQ(window(*last), 0);
  give(greedy_, greedy_.rst());
  give(*last, last->ack({.seq = last->send_next - 1}));
  EXPECT_GT(window(*last), 900'000);
}

TEST_F(MemoryOfAllTest, WhoReadsGoesOn) {
  bed_.connect();
  fill(kMemory);
  for (int i = 0; i < 100; ++i)
    bed_.give(bed_.peer.data(ramp(1000)));
  EXPECT_EQ(bed_.app.received.size(), 100'000u);
  EXPECT_EQ(drops(), 0u);
}

TEST_F(MemoryOfAllTest, WhoDoesNotReadHasLittle) {
  bed_.connect();
  fill(kMemory);
  bed_.app.reads = false;
  for (int i = 0; i < 10; ++i)
    bed_.give(bed_.peer.data(ramp(1000)));
  EXPECT_EQ(bed_.find()->readable(), kEach);
  EXPECT_EQ(drops(), 6u);
  bed_.give(bed_.peer.data(ramp(1000), {.seq = bed_.peer.acked + 1000}));
  EXPECT_EQ(bed_.stack().counts().memory, kMemory + kEach) << "and nothing out of order";
}

TEST_F(MemoryOfAllTest, WritesGoOnBitByBit) {
  bed_.connect();
  fill(kMemory);
  bed_.take();
  bed_.app.writable_events = 0;
  const Bytes all = ramp(50'000);
  std::size_t written = bed_.write(all);
  EXPECT_EQ(written, kEach);
  EXPECT_EQ(counted("migd_memory_limited_writes_total"), 1u);
  for (int i = 0; i < 200 && written < all.size(); ++i) {
    bed_.give(bed_.peer.ack());
    if (std::exchange(bed_.app.writable_events, 0) > 0) {
      written += bed_.write(ByteView(all).subspan(written));
    }
    EXPECT_LE(bed_.stack().counts().memory, kMemory + kEach);
  }
  bed_.give(bed_.peer.ack());
  EXPECT_EQ(bed_.peer.received, all);
}

// A handler that finds no room, though it has filled none, waits like one that has.
TEST_F(MemoryOfAllTest, WhoFindsNoRoomHearsOfIt) {
  bed_.connect();
  EXPECT_EQ(bed_.write(ramp(10'000)), 10'000u);
  fill(kMemory - 10'000);
  bed_.app.writable_events = 0;
  EXPECT_EQ(bed_.find()->writable(), 0u);
  for (int i = 0; i < 3; ++i)
    bed_.give(bed_.peer.ack());
  EXPECT_EQ(bed_.app.writable_events, 1);
}

TEST_F(MemoryOfAllTest, NobodyBeginsWhenItIsFull) {
  bed_.connect();
  fill(kMemory);
  Peer third(from_port(8));
  give(third, third.syn());
  EXPECT_EQ(drops(), 1u);
  EXPECT_FALSE(third.established);
  EXPECT_EQ(bed_.stack().room(), 0u) << "nor is it promised to anybody";
  EXPECT_EQ(bed_.stack().counts().total, 2u) << "and who is here stays";
}

TEST_F(MemoryOfAllTest, ACookieOpensNothingWhenItIsFull) {
  StackOptions options = with_memory();
  options.backlog = 0;
  TestBed bed(Moves::kNever, {}, options);
  bed.connect();
  Peer other(from_port(8));
  const auto give = [&](const Bytes& packet) {
    Frame frame = bed.a.pool->copy_of(packet);
    if (bed.a.stack->input(frame, bed.now) == Stack::InputVerdict::kTaken) return;
    EXPECT_TRUE(bed.a.stack->complete_handshake(frame, bed.now));
  };
  give(other.syn());
  for (const SeenSegment& segment : bed.a.sent)
    other.take(segment);
  bed.a.sent.clear();
  bed.app.reads = false;
  for (std::size_t at = 0; at < kMemory; at += 1000)
    bed.give(bed.peer.data(ramp(1000, at)));
  const Bytes ack = other.ack();
  give(ack);
  EXPECT_EQ(bed.stack().counts().total, 1u);
  EXPECT_EQ(bed.stack().drops().of(DropReason::kMemoryLimit), 1u);
  bed.app.reads = true;
  bed.consume_all();
  give(ack);
  EXPECT_EQ(bed.stack().counts().total, 2u) << "it stays good";
}

TEST_F(MemoryOfAllTest, WhatMovesInMustFit) {
  fill(kMemory - 1000);
  TestBed elsewhere(Moves::kNever, from_port(9));
  elsewhere.app.reads = false;
  elsewhere.connect();
  Connection& connection = *elsewhere.find();
  const Tenure tenure{{NodeId{9}, Boot{9}, 9}, Epoch{2}};
  const auto attach = [&]() -> Result<void> {
    FrozenConnection frozen = elsewhere.stack().freeze(connection, elsewhere.now);
    const TcpSnapshot snapshot = elsewhere.stack().capture(frozen, elsewhere.now);
    elsewhere.stack().thaw(std::move(frozen), elsewhere.now);
    auto attached = bed_.stack().attach(snapshot, tenure, "web", {}, bed_.now);
    if (!attached) return tl::unexpected(attached.error());
    EXPECT_EQ(bed_.stack().counts().memory, kMemory);
    bed_.stack().release(std::move(*attached), CloseReason::kMigrated);
    bed_.stack().deliver_events(bed_.now);
    return {};
  };
  elsewhere.give(elsewhere.peer.data(ramp(600)));
  connection.write(ramp(400));
  EXPECT_TRUE(attach());
  EXPECT_EQ(bed_.stack().counts().memory, kMemory - 1000) << "given back";
  connection.write(ramp(1));
  const Result<void> refused = attach();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace migd::test
