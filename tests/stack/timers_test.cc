// What happens when nothing happens: time-outs in virtual time.
#include "tests/stack/test_bed.h"

namespace migd::test {
namespace {

class TimersTest : public MovingTest {
 protected:
  // Some data each way: all windows are known, and the peer announces `window` from now on.
  void warm_up(std::uint32_t window) {
    bed().connect();
    bed().write(ramp(100));
    bed().peer.window = window;
    bed().give(bed().peer.data(ramp(100)));
    bed().run_for(100ms);
    bed().take();
    bed().peer.received.clear();
    bed().peer.first_byte = bed().peer.receive_next;
    bed().app.received.clear();
  }
  // When segments were sent, since `from`.
  std::vector<Duration> times(Instant from) {
    std::vector<Duration> result;
    for (const SeenSegment& segment : bed().take())
      result.push_back(segment.at - from);
    return result;
  }
};
MIGD_MOVING_SUITE(TimersTest);

TEST_P(TimersTest, RetransmissionBacksOff) {
  bed().connect();
  bed().write(ramp(100));
  const SeenSegment first = bed().take_one();
  const Instant begin = bed().now;
  bed().run_for(8s);
  const auto sent = bed().take();
  ASSERT_GE(sent.size(), 4u);
  Duration before = sent[0].at - begin;
  EXPECT_GE(before, 200ms);
  EXPECT_LE(before, 250ms);
  for (std::size_t i = 1; i < sent.size(); ++i) {
    EXPECT_EQ(sent[i].payload, first.payload);
    EXPECT_EQ(sent[i].seq, first.seq);
    const Duration gap = sent[i].at - sent[i - 1].at;
    EXPECT_NEAR(static_cast<double>(gap.count()), 2.0 * static_cast<double>(before.count()), 5e6);
    before = gap;
  }
  bed().give(bed().peer.ack());
  bed().take();
  bed().run_for(100s);
  EXPECT_TRUE(bed().take().empty());
}

// RFC 6298 3, Karn: how long a loss took to be noticed is no round trip.
TEST_P(TimersTest, ARetransmissionIsNoRoundTrip) {
  bed().connect();
  for (int i = 0; i < 3; ++i) {
    bed().write(ramp(100));
    bed().run_for(8s);  // unheard, several times
    bed().take();
    bed().give(bed().peer.ack());
    bed().take();
  }
  EXPECT_LT(bed().find()->smoothed_rtt(), 10ms);
  bed().write(ramp(100));
  bed().take();
  const Instant begin = bed().now;
  bed().run_for(1s);
  const auto again = bed().take();
  ASSERT_FALSE(again.empty());
  EXPECT_LE(again.front().at - begin, 250ms);
}

TEST_P(TimersTest, RetransmissionGivesUp) {
  bed().connect();
  bed().write(ramp(100));
  bed().run_for(200s);
  EXPECT_FALSE(bed().app.closed);  // R2 is at least 100 s
  bed().run_for(1000s);
  EXPECT_EQ(bed().app.closed, CloseReason::kTimedOut);
  EXPECT_EQ(bed().find(), nullptr);
  EXPECT_FALSE(bed().peer.reset_received);
}

TEST_P(TimersTest, TimeOutResendsAllThatIsLost) {
  bed().connect();
  const Bytes all = ramp(14000);
  bed().write(all);
  // The peer got nothing; forget what it was shown.
  bed().peer.received.clear();
  bed().peer.receive_next = bed().peer.first_byte;
  bed().take();
  bed().run_for(300ms);
  // A probe of the tail, if the peer says what it has got, and then a window of one segment.
  EXPECT_EQ(bed().take().size(), 2u);
  for (int i = 0; i < 30 && bed().peer.received.size() < all.size(); ++i) {
    bed().now += 1ms;
    bed().give(bed().peer.ack());
  }
  EXPECT_EQ(bed().peer.received, all);
}

// RFC 6582 4: a recovery ends when all that was sent before its last time-out is acknowledged.
TEST_P(TimersTest, SecondTimeOutBeginsTheRecoveryAnew) {
  bed().connect();
  bed().write(ramp(14000));
  bed().peer.received.clear();
  bed().peer.receive_next = bed().peer.first_byte;
  bed().run_for(300ms);
  bed().run_for(500ms);
  FrozenConnection frozen = bed().stack().freeze(*bed().find(), bed().now);
  const TcpSnapshot snapshot = bed().stack().capture(frozen, bed().now);
  bed().stack().thaw(std::move(frozen), bed().now);
  EXPECT_EQ(snapshot.retransmissions, 2u);
  EXPECT_TRUE(snapshot.in_rto_recovery);
  EXPECT_EQ(snapshot.recovery_end, snapshot.send_next);
}

TEST_P(TimersTest, SynAckIsSentAgainAndGivenUp) {
  bed().give(bed().peer.syn());
  bed().take();
  bed().run_for(300s);
  const auto again = bed().take();
  EXPECT_EQ(again.size(), 5u);
  for (const SeenSegment& segment : again)
    EXPECT_TRUE(segment.has(tcp_flag::kSyn));
  EXPECT_EQ(bed().find(), nullptr);
  EXPECT_EQ(bed().owner->gone_reason, CloseReason::kTimedOut);
  EXPECT_EQ(bed().stack().counts().half_open, 0u);
}

TEST_P(TimersTest, SlowHandshakeBeginsWithOneSegment) {
  bed().give(bed().peer.syn());
  bed().run_for(1500ms);
  bed().give(bed().peer.ack());
  bed().find()->bind("app", &bed().app);
  bed().take();
  bed().write(ramp(20000));
  EXPECT_EQ(bed().take().size(), 1u);
}

TEST_P(TimersTest, FinIsSentAgain) {
  bed().connect();
  bed().close();
  bed().take();
  bed().run_for(1s);
  const auto again = bed().take();
  ASSERT_GE(again.size(), 2u);
  for (const SeenSegment& segment : again)
    EXPECT_TRUE(segment.has(tcp_flag::kFin));
  bed().give(bed().peer.ack());
  EXPECT_EQ(bed().state(), TcpState::kFinWait2);
}

TEST_P(TimersTest, FinWait2EndsOnceNobodyReads) {
  bed().connect();
  bed().close();
  bed().give(bed().peer.ack());
  bed().run_for(59s);
  EXPECT_EQ(bed().state(), TcpState::kFinWait2);
  bed().run_for(2s);
  EXPECT_EQ(bed().find(), nullptr);
  EXPECT_EQ(bed().app.closed, CloseReason::kTimedOut);
}

TEST_P(TimersTest, HalfCloseMayLastForEver) {
  bed().connect();
  bed().shutdown_write();
  bed().give(bed().peer.ack());
  bed().take();
  bed().run_for(24h);
  EXPECT_EQ(bed().state(), TcpState::kFinWait2);
  EXPECT_TRUE(bed().take().empty());
}

TEST_P(TimersTest, IdleCostsNothing) {
  bed().connect();
  bed().write(ramp(100));
  bed().give(bed().peer.ack());
  bed().give(bed().peer.data(ramp(100)));
  bed().run_for(1s);
  bed().take();
  EXPECT_EQ(bed().stack().next_deadline(), kNever);
  bed().run_for(24h * 20);
  EXPECT_TRUE(bed().take().empty());
  EXPECT_EQ(bed().write(ramp(10)), 10u);
}

TEST_P(TimersTest, DelayedAck) {
  warm_up(1u << 20);
  bed().step();
  const Instant begin = bed().now;
  Frame frame = bed().owner->pool->copy_of(bed().peer.data(ramp(100)));
  bed().stack().input(frame, bed().now);
  bed().deliver();
  EXPECT_TRUE(bed().take().empty());
  if (moving()) {  // a move sends the ACK that is owed
    bed().step();
    EXPECT_EQ(bed().peer.acked, bed().peer.send_next);
    EXPECT_TRUE(bed().take().empty());
    bed().run_for(1s);
    EXPECT_TRUE(bed().take().empty());
    return;
  }
  bed().run_for(200ms);
  const auto sent = times(begin);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_GE(sent[0], 40ms);
  EXPECT_LE(sent[0], 45ms);
}

TEST_P(TimersTest, EverySecondSegmentIsAckedAtOnce) {
  if (moving()) return;
  bed().connect();
  bed().give(bed().peer.data(ramp(1000)));
  bed().give(bed().peer.data(ramp(1000, 1000)));
  EXPECT_TRUE(bed().take_one().pure_ack());
}

TEST_P(TimersTest, ATrainIsAckedAtOnce) {
  bed().connect();
  const Bytes all = ramp(20000);
  bed().give(
      bed().peer.data(all),
      {.gso = Offload::Gso::kTcp, .gso_size = 1304, .checksum = Offload::Checksum::kVerified});
  EXPECT_EQ(bed().take_one().ack, bed().peer.send_next);
  EXPECT_EQ(bed().app.received, all);
}

TEST_P(TimersTest, ZeroWindowIsProbed) {
  warm_up(0);
  bed().write(ramp(3000));
  EXPECT_TRUE(bed().take().empty());
  const Instant begin = bed().now;
  bed().run_for(7s);
  const auto probes = bed().take();
  ASSERT_GE(probes.size(), 3u);
  EXPECT_GE(probes[0].at - begin, 200ms);
  for (std::size_t i = 0; i < probes.size(); ++i) {
    EXPECT_EQ(probes[i].payload.size(), 1u);
    EXPECT_EQ(probes[i].options.timestamps.has_value(), true);
    if (i >= 2) {
      EXPECT_GT(probes[i].at - probes[i - 1].at, probes[i - 1].at - probes[i - 2].at + 50ms);
    }
  }
  // The window opens: everything flows at once.
  bed().peer.window = 1u << 20;
  bed().give(bed().peer.ack());
  EXPECT_EQ(bed().peer.received, ramp(3000));
  bed().give(bed().peer.ack());
  bed().take();
  bed().run_for(100s);
  EXPECT_TRUE(bed().take().empty());
}

TEST_P(TimersTest, WhatOnlyAProbeHasSentMeasuresNoRoundTrip) {
  bed().connect();
  bed().peer.window = 0;
  bed().give(bed().peer.ack());
  bed().write(ramp(1));
  bed().run_for(300ms);
  ASSERT_EQ(bed().take_one().payload.size(), 1u);
  bed().peer.window = 60000;
  bed().give(bed().peer.ack());  // it has taken the byte
  EXPECT_LT(bed().find()->smoothed_rtt(), 1s);
  EXPECT_GE(bed().find()->smoothed_rtt(), Duration::zero());
}

TEST_P(TimersTest, ZeroWindowIsProbedForEverWhileThePeerAnswers) {
  warm_up(0);
  bed().write(ramp(3000));
  for (int i = 0; i < 60; ++i) {
    bed().run_for(61s);
    EXPECT_FALSE(bed().take().empty());
    bed().give(bed().peer.ack());
  }
  EXPECT_EQ(bed().state(), TcpState::kEstablished);
  bed().peer.window = 100000;
  bed().give(bed().peer.ack());
  EXPECT_EQ(bed().peer.received, ramp(3000));
}

TEST_P(TimersTest, ZeroWindowProbesAreGivenUpWhenUnanswered) {
  warm_up(0);
  bed().write(ramp(3000));
  bed().run_for(1h);
  EXPECT_EQ(bed().app.closed, CloseReason::kTimedOut);
}

TEST_P(TimersTest, FinBehindAClosedWindow) {
  warm_up(0);
  bed().write(ramp(100));
  bed().close();
  bed().run_for(1s);
  bed().give(bed().peer.ack());
  bed().peer.window = 10000;
  bed().give(bed().peer.ack());
  bed().run_for(2s);
  EXPECT_EQ(bed().peer.received, ramp(100));
  EXPECT_TRUE(bed().peer.fin_received);
  bed().give(bed().peer.ack());
  EXPECT_EQ(bed().state(), TcpState::kFinWait2);
}

TEST_P(TimersTest, WindowSmallerThanASegmentIsUsedAfterAWhile) {
  warm_up(512);
  bed().write(ramp(3000));
  bed().run_for(2s);
  EXPECT_EQ(bed().peer.received.size(), 512u);
  for (int i = 0; i < 20; ++i) {
    bed().give(bed().peer.ack());
    bed().run_for(2s);
  }
  EXPECT_EQ(bed().peer.received, ramp(3000));
}

TEST_P(TimersTest, FinStaysBehindASegmentThatIsSplit) {
  warm_up(512);
  bed().write(ramp(3000));
  bed().shutdown_write();
  for (int i = 0; i < 20; ++i) {
    bed().run_for(2s);
    bed().give(bed().peer.ack());
  }
  EXPECT_EQ(bed().peer.received, ramp(3000));
  EXPECT_TRUE(bed().peer.fin_received);
  EXPECT_EQ(bed().state(), TcpState::kFinWait2);
}

// ---- the user time-out (RFC 9293 3.10.8) ----

class UserTimeoutTest : public TimersTest {
 protected:
  void SetUp() override {
    StackOptions options = default_options();
    options.user_timeout = 100s;
    rebuild(peer_options(), options);
  }
};
MIGD_MOVING_SUITE(UserTimeoutTest);

TEST_P(UserTimeoutTest, EndsWhatIsNotAcknowledged) {
  bed().connect();
  bed().write(ramp(100));
  bed().run_for(99s);
  EXPECT_FALSE(bed().app.closed);
  bed().run_for(2s);
  EXPECT_EQ(bed().app.closed, CloseReason::kTimedOut);
  EXPECT_TRUE(bed().peer.reset_received) << "it may be there all the same";
  EXPECT_EQ(bed().find(), nullptr);
}

// One that answers each probe, and never takes anything, would hold for ever what it has asked for.
TEST_P(UserTimeoutTest, EndsWhoKeepsTheWindowClosed) {
  warm_up(0);
  bed().write(ramp(3000));
  const SeqNum untaken = bed().peer.receive_next;
  for (int i = 0; i < 33; ++i) {
    bed().run_for(3s);
    bed().give(bed().peer.ack({.ack = untaken}));
  }
  EXPECT_EQ(bed().state(), TcpState::kEstablished);
  bed().run_for(3s);
  EXPECT_EQ(bed().app.closed, CloseReason::kTimedOut);
  EXPECT_TRUE(bed().peer.reset_received);
}

TEST_P(UserTimeoutTest, WhatIsTakenBeginsItAnew) {
  warm_up(0);
  bed().write(ramp(40000));
  for (int i = 0; i < 10; ++i) {
    bed().run_for(90s);
    bed().peer.window = 3000;
    bed().give(bed().peer.ack());
    bed().peer.window = 0;
    bed().give(bed().peer.ack());
  }
  EXPECT_EQ(bed().state(), TcpState::kEstablished);
  EXPECT_GT(bed().peer.received.size(), 10000u);
}

TEST_P(UserTimeoutTest, SilenceAloneIsNone) {
  bed().connect();
  bed().write(ramp(100));
  bed().give(bed().peer.ack());
  bed().run_for(1h);
  EXPECT_EQ(bed().state(), TcpState::kEstablished);
  bed().write(ramp(100, 100));
  bed().run_for(50s);
  EXPECT_EQ(bed().state(), TcpState::kEstablished) << "it counts from what was written last";
}

// Nobody acknowledges to a node that is silent: that is not the client's doing.
TEST(UserTimeoutFrozenTest, TimeInAFreezeDoesNotCount) {
  StackOptions options = default_options();
  options.user_timeout = 100s;
  TestBed bed(Moves::kNever, {}, options);
  bed.connect();
  bed.write(ramp(100));
  bed.run_for(60s);
  FrozenConnection frozen = bed.stack().freeze(*bed.find(), bed.now);
  bed.now += 10min;
  EXPECT_GE(bed.stack().capture(frozen, bed.now).unacknowledged_for, 60s);
  EXPECT_LT(bed.stack().capture(frozen, bed.now).unacknowledged_for, 61s);
  bed.stack().thaw(std::move(frozen), bed.now);
  bed.run_for(39s);
  EXPECT_FALSE(bed.app.closed);
  bed.run_for(2s);
  EXPECT_EQ(bed.app.closed, CloseReason::kTimedOut);
}

TEST_P(TimersTest, KeepAlive) {
  StackOptions options = default_options();
  options.keepalive_idle = 10s;
  rebuild(peer_options(), options);
  bed().connect();
  const Instant begin = bed().now;
  bed().run_for(11s);
  const SeenSegment probe = bed().take_one();
  EXPECT_GE(probe.at - begin, 10s - 1ms);
  EXPECT_EQ(probe.seq, bed().peer.receive_next - 1);
  EXPECT_TRUE(probe.payload.empty());
  EXPECT_TRUE(probe.options.timestamps);
  bed().give(bed().peer.ack());
  bed().run_for(9s);
  EXPECT_TRUE(bed().take().empty());
  bed().run_for(2000s);  // nine probes, 75 s apart
  EXPECT_EQ(bed().app.closed, CloseReason::kTimedOut);
  EXPECT_TRUE(bed().peer.reset_received);
  EXPECT_EQ(bed().take().size(), 10u);
}

}  // namespace
}  // namespace migd::test
