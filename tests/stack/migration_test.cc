// Freezing, capturing, attaching, thawing, releasing: in every situation.
#include "base/limits.h"
#include "tests/stack/situations.h"
#include "tests/stack/test_bed.h"
#include "tests/support/snapshot_text.h"

namespace migd::test {
namespace {

class MigrationTest : public ::testing::TestWithParam<Situation> {
 protected:
  MigrationTest() : bed(Moves::kNever, GetParam().peer, GetParam().options) {
    GetParam().arrive(bed);
    bed.take();
    connection = bed.find();
  }
  Stack& source() { return *bed.a.stack; }
  Stack& target() { return *bed.b.stack; }
  Tenure next() const { return {connection->id(), Epoch{connection->epoch().value + 1}}; }

  // The peer reads and answers, the application reads and closes, until the connection is gone.
  // What goes wrong on the way, the peer notices.
  void run_to_the_end() {
    bed.app.reads = true;
    bed.peer.window = std::max<std::uint32_t>(bed.peer.window, 60000);
    for (int i = 0; i < 400 && bed.find() != nullptr; ++i) {
      Connection& live = *bed.find();
      if (live.handler() == nullptr && live.state() != TcpState::kTimeWait) {
        live.bind("app", &bed.app);
      }
      if (live.readable() > 0 && live.handler() != nullptr) bed.consume_all();
      if (i == 100 && bed.find() != nullptr) bed.find()->shutdown_write();
      if (bed.find() != nullptr) bed.give(bed.peer.ack());
      if (i == 200 && bed.find() != nullptr) bed.give(bed.peer.fin());
      bed.run_for(i < 200 ? 100ms : 1s);
    }
    EXPECT_EQ(bed.find(), nullptr);
    EXPECT_FALSE(bed.peer.reset_received);
  }

  TestBed bed;
  Connection* connection;
};

INSTANTIATE_TEST_SUITE_P(All, MigrationTest, ::testing::ValuesIn(situations()),
                         [](const auto& test) { return test.param.name; });

TEST_P(MigrationTest, CaptureChangesNothing) {
  FrozenConnection frozen = source().freeze(*connection, bed.now);
  const std::string first = to_text(source().capture(frozen, bed.now));
  EXPECT_EQ(to_text(source().capture(frozen, bed.now)), first);
  source().thaw(std::move(frozen), bed.now);
  // And once more, without a thing having happened in between.
  FrozenConnection again = source().freeze(*connection, bed.now);
  EXPECT_EQ(to_text(source().capture(again, bed.now)), first);
  source().thaw(std::move(again), bed.now);
}

TEST_P(MigrationTest, WhatComesInIsWhatWentOut) {
  FrozenConnection frozen = source().freeze(*connection, bed.now);
  const TcpSnapshot snapshot = source().capture(frozen, bed.now);
  auto attached = target().attach(snapshot, next(), "web", Duration::zero(), bed.now);
  ASSERT_TRUE(attached) << attached.error().text;
  EXPECT_EQ(to_text(target().capture(*attached, bed.now)), to_text(snapshot));
  EXPECT_TRUE(bed.b.sent.empty());
  target().release(std::move(*attached), CloseReason::kMigrated);
  source().thaw(std::move(frozen), bed.now);
}

TEST_P(MigrationTest, NothingIsHeardWhileFrozen) {
  FrozenConnection frozen = source().freeze(*connection, bed.now);
  auto attached =
      target().attach(source().capture(frozen, bed.now), next(), "web", Duration::zero(), bed.now);
  ASSERT_TRUE(attached) << attached.error().text;
  const Bytes packet = bed.peer.data(ramp(10));
  for (int i = 0; i < 1000; ++i) {
    bed.now += 1s;
    for (Stack* stack : {&source(), &target()}) {
      Frame frame = bed.a.pool->copy_of(packet);
      EXPECT_EQ(stack->input(frame, bed.now), Stack::InputVerdict::kFrozen);
      EXPECT_EQ(to_bytes(frame.bytes()), packet);
      stack->on_deadline(bed.now);
      stack->deliver_events(bed.now);
    }
  }
  EXPECT_TRUE(bed.a.sent.empty());
  EXPECT_TRUE(bed.b.sent.empty());
  EXPECT_EQ(source().next_deadline(), kNever);
  EXPECT_EQ(source().counts().frozen, 1u);
  target().release(std::move(*attached), CloseReason::kMigrated);
  source().release(std::move(frozen), CloseReason::kMigrated);
  EXPECT_EQ(source().counts().frozen, 0u);
  EXPECT_EQ(source().counts().total, 0u);
  source().deliver_events(bed.now);
  target().deliver_events(bed.now);
  EXPECT_TRUE(bed.a.sent.empty());
  EXPECT_TRUE(bed.b.sent.empty());
  EXPECT_EQ(bed.a.gone_reason, CloseReason::kMigrated);
  EXPECT_EQ(bed.b.gone_reason, CloseReason::kMigrated);
}

TEST_P(MigrationTest, GoesOnAtTheSourceAfterAThaw) {
  FrozenConnection frozen = source().freeze(*connection, bed.now);
  source().capture(frozen, bed.now);
  bed.now += 700ms;
  source().thaw(std::move(frozen), bed.now);
  bed.deliver();
  run_to_the_end();
}

TEST_P(MigrationTest, GoesOnAtTheTarget) {
  bed.move();
  run_to_the_end();
}

TEST_P(MigrationTest, GoesOnAfterManyMoves) {
  for (int i = 0; i < 25; ++i) {
    bed.move();
    bed.now += 3ms;
  }
  run_to_the_end();
}

TEST_P(MigrationTest, WithoutMigrationItEndsAsWell) {
  run_to_the_end();
}

// ---- single cases ----

class MoveTest : public ::testing::Test {
 protected:
  TestBed bed;
};

TEST_F(MoveTest, HeldPacketsAreAnsweredOnce) {
  bed.connect();
  Connection& connection = *bed.find();
  FrozenConnection frozen = bed.a.stack->freeze(connection, bed.now);
  const TcpSnapshot snapshot = bed.a.stack->capture(frozen, bed.now);
  std::vector<Bytes> held;
  for (std::size_t i = 0; i < 5; ++i)
    held.push_back(bed.peer.data(ramp(100, 100 * i)));
  bed.now += 1ms;
  connection.bind("app", nullptr);
  auto attached = bed.b.stack->attach(snapshot, {connection.id(), Epoch{2}}, "web", 1ms, bed.now);
  ASSERT_TRUE(attached);
  bed.a.stack->release(std::move(frozen), CloseReason::kMigrated);
  bed.owner = &bed.b;
  attached->connection().bind("app", &bed.app);
  bed.b.stack->thaw(std::move(*attached), bed.now);
  for (const Bytes& packet : held) {
    Frame frame = bed.b.pool->copy_of(packet);
    EXPECT_EQ(bed.b.stack->input(frame, bed.now), Stack::InputVerdict::kTaken);
  }
  bed.deliver();
  EXPECT_EQ(bed.app.received, ramp(500));
  EXPECT_EQ(bed.find()->epoch(), Epoch{2});
  for (const SeenSegment& segment : bed.take())
    EXPECT_TRUE(segment.pure_ack());
}

TEST_F(MoveTest, SegmentsAreCutForTheLinkOfTheTarget) {
  StackOptions narrow = default_options();
  narrow.link.mtu = 1280;
  bed.connect();
  const Bytes all = ramp(40000);
  bed.write(all);
  bed.take();
  TestNode node(3, narrow, bed.now);
  Connection& connection = *bed.find();
  FrozenConnection frozen = bed.a.stack->freeze(connection, bed.now);
  auto attached = node.stack->attach(bed.a.stack->capture(frozen, bed.now),
                                     {connection.id(), Epoch{2}}, "web", {}, bed.now);
  ASSERT_TRUE(attached);
  bed.a.stack->release(std::move(frozen), CloseReason::kMigrated);
  node.stack->thaw(std::move(*attached), bed.now);
  // All that was in flight is lost.
  bed.peer.received.clear();
  bed.peer.receive_next = bed.peer.first_byte;
  for (int i = 0; i < 200 && bed.peer.received.size() < all.size(); ++i) {
    bed.now += 250ms;
    node.stack->on_deadline(bed.now);
    node.stack->deliver_events(bed.now);
    for (const SeenSegment& segment : node.sent) {
      EXPECT_LE(segment.packet.size(), 1280u);
      bed.peer.take(segment);
    }
    node.sent.clear();
    Frame frame = node.pool->copy_of(bed.peer.ack());
    node.stack->input(frame, bed.now);
  }
  EXPECT_EQ(bed.peer.received, all);
}

// A peer that ends its stream in front of bytes that it has sent: those are forgotten, and so is
// their SACK block.
TEST_F(MoveTest, DataBehindALateFinDoesNotTravel) {
  bed.connect();
  const SeqNum begin(bed.peer.options.iss + 1);
  bed.give(bed.peer.data(ramp(1000), {.seq = begin + 5000}));
  bed.give(bed.peer.fin(ramp(10), {.seq = begin + 1000}));
  FrozenConnection frozen = bed.a.stack->freeze(*bed.find(), bed.now);
  const TcpSnapshot snapshot = bed.a.stack->capture(frozen, bed.now);
  bed.a.stack->thaw(std::move(frozen), bed.now);
  EXPECT_EQ(snapshot.out_of_order.size(), 1u);
  EXPECT_EQ(snapshot.sack_blocks.size(), 1u);
  bed.move();
}

// Of a snapshot of another node: what has no meaning now must have none later either.
TEST_F(MoveTest, AWindowThatIsNotProbedCountsNoProbes) {
  bed.connect();
  bed.write(ramp(100));
  bed.peer.window = 0;
  bed.give(bed.peer.ack());
  bed.write(ramp(100, 100));
  FrozenConnection frozen = bed.a.stack->freeze(*bed.find(), bed.now);
  TcpSnapshot snapshot = bed.a.stack->capture(frozen, bed.now);
  ASSERT_EQ(snapshot.persist_backoff, 1);
  snapshot.persist_backoff = 0;
  snapshot.persist_probes = 2;
  auto attached =
      bed.b.stack->attach(snapshot, {frozen.connection().id(), Epoch{2}}, "web", {}, bed.now);
  ASSERT_TRUE(attached) << attached.error().text;
  EXPECT_EQ(bed.b.stack->capture(*attached, bed.now).persist_probes, 0);
  bed.b.stack->release(std::move(*attached), CloseReason::kMigrated);
  bed.a.stack->thaw(std::move(frozen), bed.now);
}

// What was probed for is acknowledged: nothing is probed any more in TIME_WAIT.
TEST_F(MoveTest, TimeWaitAfterAProbeMoves) {
  bed.connect();
  const SeqNum before = bed.peer.receive_next;
  bed.shutdown_write();
  bed.give(bed.peer.fin({}, {.ack = before}));
  FrozenConnection frozen = bed.a.stack->freeze(*bed.find(), bed.now);
  TcpSnapshot snapshot = bed.a.stack->capture(frozen, bed.now);
  ASSERT_EQ(snapshot.state, TcpState::kClosing);
  snapshot.persist_backoff = 1;
  auto attached =
      bed.b.stack->attach(snapshot, {frozen.connection().id(), Epoch{2}}, "web", {}, bed.now);
  ASSERT_TRUE(attached) << attached.error().text;
  bed.a.stack->release(std::move(frozen), CloseReason::kMigrated);
  bed.owner = &bed.b;
  bed.b.stack->thaw(std::move(*attached), bed.now);
  bed.give(bed.peer.ack());
  ASSERT_EQ(bed.state(), TcpState::kTimeWait);
  bed.move();
  EXPECT_EQ(bed.state(), TcpState::kTimeWait);
}

// A recovery ends with this as the window, and less than a segment would never send one.
TEST_F(MoveTest, ATinySlowStartThresholdIsNotTaken) {
  bed.connect();
  FrozenConnection frozen = bed.a.stack->freeze(*bed.find(), bed.now);
  TcpSnapshot snapshot = bed.a.stack->capture(frozen, bed.now);
  snapshot.ssthresh = 1;
  auto attached =
      bed.b.stack->attach(snapshot, {frozen.connection().id(), Epoch{2}}, "web", {}, bed.now);
  ASSERT_TRUE(attached) << attached.error().text;
  EXPECT_GE(bed.b.stack->capture(*attached, bed.now).ssthresh, 2u * 1000);
  bed.b.stack->release(std::move(*attached), CloseReason::kMigrated);
  bed.a.stack->thaw(std::move(frozen), bed.now);
}

TEST_F(MoveTest, LimitsTravel) {
  StackOptions small = default_options();
  small.window = small.send_buffer = 20000;
  bed.app.reads = false;
  bed.connect();
  bed.give(bed.peer.data(ramp(60000)));
  bed.write(ramp(100000));
  TestNode node(3, small, bed.now);
  Connection& connection = *bed.find();
  FrozenConnection frozen = bed.a.stack->freeze(connection, bed.now);
  const TcpSnapshot snapshot = bed.a.stack->capture(frozen, bed.now);
  auto attached = node.stack->attach(snapshot, {connection.id(), Epoch{2}}, "web", {}, bed.now);
  ASSERT_TRUE(attached) << attached.error().text;
  EXPECT_EQ(to_text(node.stack->capture(*attached, bed.now)), to_text(snapshot));
  node.stack->release(std::move(*attached), CloseReason::kMigrated);
  bed.a.stack->thaw(std::move(frozen), bed.now);
}

TEST_F(MoveTest, NothingThatWasResentIsSentAgain) {
  bed.connect();
  bed.write(ramp(50000));
  bed.peer.received.clear();
  bed.peer.receive_next = bed.peer.first_byte;
  bed.run_for(300ms);  // one segment again
  bed.give(bed.peer.ack());
  bed.give(bed.peer.ack());  // a duplicate: the time-out was one
  bed.take();
  Connection& connection = *bed.find();
  FrozenConnection frozen = bed.a.stack->freeze(connection, bed.now);
  const TcpSnapshot snapshot = bed.a.stack->capture(frozen, bed.now);
  bed.a.stack->thaw(std::move(frozen), bed.now);
  EXPECT_TRUE(snapshot.in_rto_recovery);
  SeqNum resent = snapshot.send_unacknowledged;
  for (const SentRange& range : snapshot.sent) {
    if (range.lost && !range.resent) break;
    resent += range.length;
  }
  EXPECT_GT(resent, snapshot.send_unacknowledged);
  EXPECT_LT(resent, snapshot.send_next);
  bed.move();
  for (const SeenSegment& segment : bed.take())
    EXPECT_GE(segment.seq, resent);
}

TEST_F(MoveTest, AttachRefusesWhatIsHereAlready) {
  bed.connect();
  Connection& connection = *bed.find();
  FrozenConnection frozen = bed.a.stack->freeze(connection, bed.now);
  TcpSnapshot snapshot = bed.a.stack->capture(frozen, bed.now);
  auto same = bed.a.stack->attach(snapshot, {connection.id(), Epoch{2}}, "web", {}, bed.now);
  ASSERT_FALSE(same);
  EXPECT_EQ(same.error().code, ErrorCode::kBusy);
  snapshot.tuple.peer.port = 1;
  EXPECT_FALSE(bed.a.stack->attach(snapshot, {connection.id(), Epoch{2}}, "web", {}, bed.now));
  bed.a.stack->thaw(std::move(frozen), bed.now);
}

TEST_F(MoveTest, AttachRespectsTheLimitOfConnections) {
  StackOptions none = default_options();
  none.connections_max = 0;
  TestNode node(3, none, bed.now);
  bed.connect();
  FrozenConnection frozen = bed.a.stack->freeze(*bed.find(), bed.now);
  auto attached = node.stack->attach(bed.a.stack->capture(frozen, bed.now),
                                     {bed.find()->id(), Epoch{2}}, "web", {}, bed.now);
  ASSERT_FALSE(attached);
  EXPECT_EQ(attached.error().code, ErrorCode::kTooLarge);
  bed.a.stack->thaw(std::move(frozen), bed.now);
}

TEST_F(MoveTest, TheHandlerHearsThatItMoved) {
  bed.connect();
  FrozenConnection frozen = bed.a.stack->freeze(*bed.find(), bed.now);
  bed.a.stack->release(std::move(frozen), CloseReason::kMigrated);
  EXPECT_EQ(bed.a.stack->find(bed.connection_tuple()), nullptr);
  EXPECT_FALSE(bed.app.closed);
  bed.a.stack->deliver_events(bed.now);
  EXPECT_EQ(bed.app.closed, CloseReason::kMigrated);
}

TEST_F(MoveTest, EventsWaitForTheThaw) {
  bed.connect();
  Frame frame = bed.a.pool->copy_of(bed.peer.data(ramp(100)));
  bed.a.stack->input(frame, bed.now);
  FrozenConnection frozen = bed.a.stack->freeze(*bed.find(), bed.now);
  bed.a.stack->deliver_events(bed.now);
  EXPECT_TRUE(bed.app.received.empty());
  bed.a.stack->thaw(std::move(frozen), bed.now);
  bed.deliver();
  EXPECT_EQ(bed.app.received, ramp(100));
}

TEST_F(MoveTest, TimestampsAdvanceHoweverOftenItMoves) {
  bed.connect();
  bed.write(ramp(10));
  const std::uint32_t before = bed.peer.last_tsval;
  for (int i = 0; i < 2000; ++i) {
    bed.now += 1ms + 300us;
    bed.move();
  }
  bed.write(ramp(10, 10));
  EXPECT_NEAR(bed.peer.last_tsval - before, 2600, 70);
}

TEST_F(MoveTest, RetransmitsHoweverOftenItMoves) {
  bed.connect();
  bed.write(ramp(10));
  bed.take();
  for (int i = 0; i < 100; ++i) {
    bed.run_for(5ms);
    bed.move();
  }
  EXPECT_GE(bed.take().size(), 1u);
}

TEST_F(MoveTest, ShutDownResetsItsOwnAndIsSilentAboutTheOthers) {
  bed.connect();
  Connection& frozen_one = *bed.find();
  PeerOptions other_options;
  other_options.local.port = 40001;
  Peer other(other_options);
  const auto give = [&](const Bytes& packet) {
    Frame frame = bed.a.pool->copy_of(packet);
    bed.a.stack->input(frame, bed.now);
    bed.a.stack->deliver_events(bed.now);
    for (const SeenSegment& segment : bed.a.sent)
      other.take(segment);
    bed.a.sent.clear();
  };
  give(other.syn());
  give(other.ack());
  FrozenConnection frozen = bed.a.stack->freeze(frozen_one, bed.now);
  bed.a.stack->shut_down(bed.now);
  ASSERT_EQ(bed.a.sent.size(), 1u);
  EXPECT_TRUE(bed.a.sent[0].has(tcp_flag::kRst));
  EXPECT_EQ(bed.a.sent[0].tuple.peer, other_options.local);
  bed.a.stack->deliver_events(bed.now);
  bed.a.sent.clear();
  EXPECT_EQ(bed.a.stack->counts().total, 0u);
  bed.a.stack->release(std::move(frozen), CloseReason::kMigrated);
  bed.a.stack->deliver_events(bed.now);
  EXPECT_TRUE(bed.a.sent.empty());
  EXPECT_EQ(bed.app.closed_events, 1);
}

// ---- the states around the others ----

// One bed whose connection moves to a node with other options.
class OtherNodeTest : public ::testing::Test {
 protected:
  // What the source says about the connection goes to `node`, which owns it then.
  Connection& move_to(TestNode& node, TestNode& from) {
    Connection& connection = *from.stack->find(bed.connection_tuple());
    FrozenConnection frozen = from.stack->freeze(connection, bed.now);
    const Tenure tenure{connection.id(), Epoch{connection.epoch().value + 1}};
    const TcpSnapshot snapshot = travelled(from.stack->capture(frozen, bed.now), tenure);
    auto attached = node.stack->attach(snapshot, tenure, "web", {}, bed.now);
    EXPECT_TRUE(attached) << attached.error().text;
    from.stack->release(std::move(frozen), CloseReason::kMigrated);
    from.stack->deliver_events(bed.now);
    Connection& arrived = attached->connection();
    node.stack->thaw(std::move(*attached), bed.now);
    node.stack->deliver_events(bed.now);
    return arrived;
  }
  void give(TestNode& node, const Bytes& packet) {
    Frame frame = node.pool->copy_of(packet);
    EXPECT_EQ(node.stack->input(frame, bed.now), Stack::InputVerdict::kTaken);
    node.stack->deliver_events(bed.now);
  }
  void run_for(TestNode& node, Duration duration) {
    for (const Instant until = bed.now + duration; bed.now < until; bed.now += 100ms) {
      node.stack->on_deadline(bed.now);
      node.stack->deliver_events(bed.now);
    }
  }

  TestBed bed;
};

TEST_F(OtherNodeTest, TheSynAckIsRepeatedWordForWord) {
  StackOptions options = default_options();
  options.window = 30000;  // would ask for no window scale
  options.link.mtu = 1280;
  options.timestamps = options.sack = false;
  TestNode node(3, options, bed.now);
  ASSERT_TRUE(node.stack->listen(bed.peer.options.remote, "web", &node));
  bed.give(bed.peer.syn());
  const SeenSegment first = bed.take_one();
  move_to(node, bed.a);
  EXPECT_EQ(node.stack->counts().half_open, 1u);
  run_for(node, 1500ms);
  ASSERT_EQ(node.sent.size(), 1u);
  const SeenSegment& again = node.sent[0];
  EXPECT_EQ(again.flags, first.flags);
  EXPECT_EQ(again.seq, first.seq);
  EXPECT_EQ(again.ack, first.ack);
  EXPECT_EQ(again.window_field, first.window_field);
  EXPECT_EQ(again.options.mss, first.options.mss);
  EXPECT_EQ(again.options.window_scale, first.options.window_scale);
  EXPECT_EQ(again.options.sack_permitted, first.options.sack_permitted);
  ASSERT_TRUE(first.options.timestamps && again.options.timestamps);
  EXPECT_EQ(again.options.timestamps->echo, first.options.timestamps->echo);
  EXPECT_GE(SeqNum(again.options.timestamps->value), SeqNum(first.options.timestamps->value));
  node.sent.clear();

  give(node, bed.peer.ack());  // an ordinary accepted connection
  ASSERT_EQ(node.established.size(), 1u);
  EXPECT_EQ(node.stack->counts().half_open, 0u);
  node.established[0]->bind("app", &bed.app);
  give(node, bed.peer.data(ramp(700)));
  EXPECT_EQ(bed.app.received, ramp(700));
}

TEST_F(OtherNodeTest, AnApplicationMayBeBoundBeforeTheHandshakeIsComplete) {
  TestNode node(3, default_options(), bed.now);  // nobody listens there
  bed.give(bed.peer.syn());
  bed.take();
  Connection& connection = move_to(node, bed.a);
  connection.bind("app", &bed.app);
  EXPECT_EQ(connection.writable(), 0u);
  give(node, bed.peer.ack());
  EXPECT_EQ(connection.state(), TcpState::kEstablished);
  EXPECT_EQ(bed.app.writable_events, 1);
  EXPECT_EQ(connection.write(ramp(100)), 100u);
}

TEST_F(OtherNodeTest, HalfOpenConnectionsThatComeInCount) {
  StackOptions options = default_options();
  options.backlog = 1;
  TestNode node(3, options, bed.now);
  ASSERT_TRUE(node.stack->listen(bed.peer.options.remote, "web", &node));
  PeerOptions other;
  other.local.port = 40001;
  give(node, Peer(other).syn());
  bed.give(bed.peer.syn());
  FrozenConnection frozen = bed.a.stack->freeze(*bed.find(), bed.now);
  auto attached = node.stack->attach(bed.a.stack->capture(frozen, bed.now),
                                     {bed.find()->id(), Epoch{2}}, "web", {}, bed.now);
  ASSERT_FALSE(attached);
  EXPECT_EQ(attached.error().code, ErrorCode::kTooLarge);
  bed.a.stack->thaw(std::move(frozen), bed.now);
}

TEST_F(OtherNodeTest, SegmentsGrowAgainOnAWiderLink) {
  StackOptions narrow = default_options();
  narrow.link.mtu = 1280;
  TestNode node(3, narrow, bed.now), wide(4, default_options(), bed.now);
  bed.connect();
  move_to(node, bed.a).bind("app", &bed.app);
  EXPECT_EQ(node.stack->find(bed.connection_tuple())->write(ramp(3000)), 3000u);
  node.stack->deliver_events(bed.now);
  EXPECT_EQ(node.sent.at(0).packet.size(), 1280u);
  move_to(wide, node).bind("app", &bed.app);
  EXPECT_EQ(wide.stack->find(bed.connection_tuple())->write(ramp(3000)), 3000u);
  wide.stack->deliver_events(bed.now);
  EXPECT_EQ(wide.sent.at(0).packet.size(), 1500u);
}

TEST_F(OtherNodeTest, TimeWaitKeepsWhatIsLeftOfIt) {
  TestNode node(3, default_options(), bed.now);
  bed.connect();
  bed.close();
  bed.give(bed.peer.ack());
  bed.give(bed.peer.fin());
  bed.run_for(50s);
  move_to(node, bed.a);
  run_for(node, 9s);
  EXPECT_NE(node.stack->find(bed.connection_tuple()), nullptr);
  run_for(node, 2s);
  EXPECT_EQ(node.stack->find(bed.connection_tuple()), nullptr);
  EXPECT_EQ(node.gone_reason, CloseReason::kFinished);
  EXPECT_TRUE(node.sent.empty());
}

TEST_F(OtherNodeTest, ApplicationDone) {
  bed.app.reads = false;
  bed.connect();
  const auto done = [this] {
    FrozenConnection frozen = bed.a.stack->freeze(*bed.find(), bed.now);
    const bool of_snapshot = application_done(bed.a.stack->capture(frozen, bed.now));
    bed.a.stack->thaw(std::move(frozen), bed.now);
    EXPECT_EQ(bed.find()->application_done(), of_snapshot);
    return of_snapshot;
  };
  EXPECT_FALSE(done());
  bed.shutdown_write();
  EXPECT_FALSE(done());
  bed.give(bed.peer.fin(ramp(10)));
  EXPECT_FALSE(done());  // ten bytes are left to read
  bed.app.reads = true;
  bed.consume_all();
  EXPECT_TRUE(done());
}

}  // namespace
}  // namespace migd::test
