// What the sender does when segments are lost, late or repeated, as a peer sees it; with and
// without moves between any two steps.
#include "stack/recovery/loss_recovery.h"

#include <map>

#include "tests/stack/test_bed.h"

namespace migd::test {
namespace {

constexpr Duration kPathRtt = 20ms;

using SackedSegments = std::vector<std::pair<int, int>>;  // of segments, the second not included

class LossRecoveryTest : public MovingTest {
 protected:
  // A round trip is known.
  void warm_up() {
    bed().give(bed().peer.syn());
    bed().run_for(kPathRtt);
    bed().give(bed().peer.ack());
    bed().find()->bind("app", &bed().app);
    bed().write(ramp(1000));
    bed().run_for(kPathRtt);
    bed().give(bed().peer.ack());
    bed().take();
  }
  // So many full segments, which leave at once; numbered from 0.
  void send(int count) {
    payload_ = static_cast<std::uint32_t>((v6() ? 1440 : 1460) - (has_timestamps() ? 12 : 0));
    first_ = bed().peer.receive_next;
    bed().write(ramp(static_cast<std::size_t>(count) * payload_));
  }
  bool has_timestamps() { return bed().peer.options.timestamps; }
  SeqNum at(int segment) const { return first_ + static_cast<std::uint32_t>(segment) * payload_; }

  void ack(int next, const SackedSegments& blocks = {}) {
    SegmentChange change{.ack = at(next)};
    for (const auto& [left, right] : blocks)
      change.sack.push_back({at(left), at(right)});
    bed().give(bed().peer.ack(change));
  }
  // The numbers of the data segments that left since the last time, in order.
  std::vector<int> sent() {
    std::vector<int> numbers;
    for (const SeenSegment& segment : bed().take()) {
      if (!segment.payload.empty())
        numbers.push_back((segment.seq - first_) / static_cast<int>(payload_));
    }
    return numbers;
  }
  TcpSnapshot state() {
    FrozenConnection frozen = bed().stack().freeze(*bed().find(), bed().now);
    TcpSnapshot snapshot = bed().stack().capture(frozen, bed().now);
    bed().stack().thaw(std::move(frozen), bed().now);
    return snapshot;
  }

  SeqNum first_;
  std::uint32_t payload_ = 0;
};
MIGD_MOVING_SUITE(LossRecoveryTest);

using SentNumbers = std::vector<int>;

// RFC 6675 5: bytes count, not ACKs. A receiver that gathers packets sends one for many.
TEST_P(LossRecoveryTest, OneAckWithThreeSegmentsBehindAGapIsEnough) {
  warm_up();
  send(10);
  EXPECT_EQ(sent().size(), 10u);
  bed().run_for(kPathRtt);
  ack(0, {{1, 4}});
  EXPECT_EQ(sent(), SentNumbers{0});
  const TcpSnapshot s = state();
  EXPECT_TRUE(s.in_fast_recovery);
  EXPECT_EQ(s.recovery_end, at(10));
  EXPECT_EQ(s.ssthresh, 7 * payload_);
}

// RFC 8985 6.2 step 4: less than that may be reordering, for a quarter of a round trip.
TEST_P(LossRecoveryTest, FewerWaitForTheReorderingWindow) {
  warm_up();
  send(10);
  sent();
  bed().run_for(kPathRtt);
  ack(0, {{1, 2}});
  EXPECT_EQ(sent(), SentNumbers{});
  bed().run_for(kPathRtt / 4 - 1ms);
  EXPECT_EQ(sent(), SentNumbers{});
  bed().run_for(2ms);
  EXPECT_EQ(sent(), SentNumbers{0});
}

TEST_P(LossRecoveryTest, ReorderingWithinTheWindowSendsNothingAgain) {
  warm_up();
  send(10);
  sent();
  bed().run_for(kPathRtt);
  ack(0, {{1, 2}});
  bed().run_for(1ms);
  ack(2);
  bed().run_for(1ms);
  ack(10);
  EXPECT_EQ(sent(), SentNumbers{});
  EXPECT_FALSE(state().in_fast_recovery);
  EXPECT_TRUE(state().recovery.reordering_seen);
}

TEST_P(LossRecoveryTest, EachHoleIsFilledOnce) {
  warm_up();
  send(10);
  sent();
  bed().run_for(kPathRtt);
  ack(0, {{1, 2}, {3, 4}, {5, 10}});
  SentNumbers again = sent();
  for (int i = 0; i < 5; ++i) {  // each of the ACKs that follow tells the same
    bed().run_for(100us);
    ack(0, {{1, 2}, {3, 4}, {5, 10}});
    for (const int number : sent())
      again.push_back(number);
  }
  EXPECT_EQ(again, (SentNumbers{0, 2, 4}));
  bed().run_for(kPathRtt);
  ack(2, {{3, 4}, {5, 10}});
  ack(4, {{5, 10}});
  ack(10);
  EXPECT_EQ(sent(), SentNumbers{});
  const TcpSnapshot s = state();
  EXPECT_FALSE(s.in_fast_recovery);
  EXPECT_GE(s.cwnd, s.ssthresh);  // RFC 6937: it has come down to the threshold
  EXPECT_LE(s.cwnd, s.ssthresh + 2 * s.mss);
}

// RFC 8985: what was sent again and is lost again needs no time-out.
TEST_P(LossRecoveryTest, ALostRetransmissionIsFoundByWhatCameAfter) {
  warm_up();
  send(20);
  sent();
  bed().run_for(kPathRtt);
  ack(0, {{1, 5}});
  EXPECT_EQ(sent().at(0), 0);
  bed().run_for(1ms);
  ack(0, {{1, 10}});  // something new leaves
  EXPECT_FALSE(sent().empty());
  bed().run_for(kPathRtt + 1ms);
  ack(0, {{1, 12}});  // it has arrived, and what was sent again has not
  EXPECT_EQ(sent().at(0), 0);
  EXPECT_EQ(state().retransmissions, 0u);
}

// RFC 6937: what leaves in a recovery follows what has arrived: nothing leaves in a burst.
TEST_P(LossRecoveryTest, NoBurstWhenAWholeWindowArrives) {
  warm_up();
  send(40);
  const int in_flight = static_cast<int>(sent().size());
  bed().run_for(kPathRtt);
  ack(0, {{1, 4}});
  int left = static_cast<int>(sent().size());
  for (int i = 5; i < in_flight; ++i) {
    bed().run_for(100us);
    ack(0, {{1, i}});
    const auto now = static_cast<int>(sent().size());
    EXPECT_LE(now, 2);
    left += now;
  }
  EXPECT_LE(left, in_flight * 8 / 10);
  EXPECT_GE(left, in_flight * 5 / 10);
}

TEST_P(LossRecoveryTest, BlocksThatNobodySaysAreIgnored) {
  warm_up();
  send(10);
  sent();
  bed().run_for(kPathRtt);
  ack(0, {{1, 11}});              // beyond SND.NXT
  ack(0, {{4, 1}});               // backwards
  ack(0, {{-50, -40}, {-9, 0}});  // long acknowledged
  bed().run_for(1ms);
  EXPECT_EQ(sent(), SentNumbers{});
  for (const SentRange& range : state().sent)
    EXPECT_FALSE(range.sacked || range.lost);
}

// RFC 2018 8: after a time-out, what the peer says to hold may be gone, if it lies first.
TEST_P(LossRecoveryTest, APeerThatRenegesGetsAllAgain) {
  warm_up();
  send(5);
  sent();
  bed().run_for(kPathRtt);
  ack(0, {{1, 5}});
  EXPECT_EQ(sent(), SentNumbers{0});
  bed().run_for(kPathRtt);
  ack(1);  // and nothing of the rest
  bed().run_for(1s);
  const SentNumbers again = sent();
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again[0], 1);
}

// RFC 6582.
TEST_P(LossRecoveryTest, NewRenoWithoutSack) {
  PeerOptions peer = peer_options();
  peer.sack = false;
  rebuild(peer);
  warm_up();
  send(10);
  sent();
  bed().run_for(kPathRtt);
  ack(0);
  ack(0);
  EXPECT_EQ(sent(), SentNumbers{});
  ack(0);
  EXPECT_EQ(sent(), SentNumbers{0});
  for (int i = 0; i < 5; ++i)
    ack(0);
  EXPECT_EQ(sent(), SentNumbers{});
  bed().run_for(kPathRtt);
  ack(4);  // partial: the next one is lost, too
  EXPECT_EQ(sent(), SentNumbers{4});
  EXPECT_TRUE(state().in_fast_recovery);
  bed().run_for(kPathRtt);
  ack(10);
  EXPECT_FALSE(state().in_fast_recovery);
  EXPECT_GE(state().cwnd, state().ssthresh);
  EXPECT_LE(state().cwnd, state().ssthresh + payload_);
  // Duplicates of before the end of the recovery begin no other (RFC 6582 3.2, step 2).
  send(5);
  sent();
  for (int i = 0; i < 4; ++i)
    ack(0);
  EXPECT_EQ(sent(), SentNumbers{});
}

// RFC 3042: the first two duplicates let something new out.
TEST_P(LossRecoveryTest, LimitedTransmit) {
  for (const bool sack : {true, false}) {
    PeerOptions peer = peer_options();
    peer.sack = sack;
    rebuild(peer);
    warm_up();
    send(30);
    const int count = static_cast<int>(sent().size());
    ASSERT_LT(count, 30);
    bed().run_for(kPathRtt);
    ack(0, sack ? SackedSegments{{1, 2}} : SackedSegments{});
    EXPECT_EQ(sent(), SentNumbers{count});
    ack(0, sack ? SackedSegments{{1, 3}} : SackedSegments{});
    EXPECT_EQ(sent(), SentNumbers{count + 1});
  }
}

// ---- undoing ----

class UndoneTest : public LossRecoveryTest {
 protected:
  // The first of ten is late, and sent again.
  void be_late() {
    warm_up();
    send(10);
    sent();
    bed().run_for(kPathRtt);
    before_ = state();
    ack(0, {{1, 5}});
    EXPECT_EQ(sent(), SentNumbers{0});
    EXPECT_LT(state().cwnd, before_.cwnd);
  }
  TcpSnapshot before_;
};
MIGD_MOVING_SUITE(UndoneTest);

// RFC 8985 6.2: no round trip is as short.
TEST_P(UndoneTest, AnAckThatIsTooSoon) {
  be_late();
  bed().run_for(2ms);
  ack(5);
  const TcpSnapshot s = state();
  EXPECT_FALSE(s.in_fast_recovery);
  EXPECT_GE(s.cwnd, before_.cwnd);
  EXPECT_EQ(s.ssthresh, before_.ssthresh);
}

// RFC 2883, RFC 3708.
TEST_P(UndoneTest, ADuplicateThatThePeerTells) {
  be_late();
  bed().run_for(kPathRtt);
  ack(10);
  EXPECT_LT(state().cwnd, before_.cwnd);
  bed().run_for(1ms);
  ack(10, {{0, 1}});
  EXPECT_GE(state().cwnd, before_.cwnd);
  EXPECT_EQ(state().ssthresh, before_.ssthresh);
}

TEST_P(UndoneTest, NotWhatWasLost) {
  be_late();
  bed().run_for(kPathRtt);
  ack(10);
  bed().run_for(kPathRtt);
  EXPECT_LT(state().cwnd, before_.cwnd);
  EXPECT_LT(state().ssthresh, before_.ssthresh);
}

// ---- the tail (RFC 8985 7) ----

TEST_P(LossRecoveryTest, TheTailIsProbedAfterTwoRoundTrips) {
  warm_up();
  send(5);
  sent();
  const Instant begin = bed().now;
  bed().run_for(190ms);
  const auto probes = bed().take();
  ASSERT_EQ(probes.size(), 1u);
  EXPECT_EQ(probes[0].seq, at(4));
  if (!moving()) {
    EXPECT_GE(probes[0].at - begin, 2 * kPathRtt);
    EXPECT_LE(probes[0].at - begin, 3 * kPathRtt);
  }
  ack(2, {{4, 5}});  // it tells what is missing
  bed().run_for(10ms);
  EXPECT_EQ(sent(), (SentNumbers{2, 3}));
  EXPECT_EQ(state().retransmissions, 0u);
}

// The probe is something new where there is something.
TEST_P(LossRecoveryTest, TheProbeIsNewData) {
  warm_up();
  send(30);
  const int count = static_cast<int>(sent().size());
  bed().run_for(3 * kPathRtt);
  EXPECT_EQ(sent(), SentNumbers{count});
}

// 7.4.2: the window shrinks when only the probe can have filled the gap.
TEST_P(LossRecoveryTest, AProbeThatRepairedWasALoss) {
  warm_up();
  send(5);
  sent();
  const std::uint32_t before = state().cwnd;
  bed().run_for(100ms);
  EXPECT_EQ(sent(), SentNumbers{4});
  ack(5);
  EXPECT_EQ(state().cwnd, before);  // not known yet which of the two it was
  bed().write(ramp(100));
  bed().run_for(kPathRtt);
  bed().give(bed().peer.ack());
  EXPECT_LT(state().cwnd, before);
}

TEST_P(LossRecoveryTest, AProbeForNothingCostsNothing) {
  warm_up();
  send(5);
  sent();
  const std::uint32_t before = state().cwnd;
  bed().run_for(100ms);
  EXPECT_EQ(sent(), SentNumbers{4});
  ack(5);
  ack(5, {{4, 5}});  // twice
  bed().write(ramp(100));
  bed().run_for(kPathRtt);
  bed().give(bed().peer.ack());
  EXPECT_GE(state().cwnd, before);
}

// A single segment may wait for the peer's delayed acknowledgment.
TEST_P(LossRecoveryTest, OneSegmentIsNotProbedSoon) {
  warm_up();
  send(1);
  sent();
  bed().run_for(200ms);
  EXPECT_EQ(sent(), SentNumbers{});
}

// ---- time-outs ----

// RFC 5682 3.1: an acknowledgment of what was never sent again shows that the time-out was none.
TEST_P(LossRecoveryTest, ASpuriousTimeOutIsUndone) {
  PeerOptions peer = peer_options();
  peer.timestamps = false;  // F-RTO alone
  rebuild(peer);
  warm_up();
  send(30);
  const int count = static_cast<int>(sent().size());
  const TcpSnapshot before = state();
  bed().run_for(300ms);
  const SentNumbers again = sent();
  ASSERT_EQ(again.back(), 0);
  EXPECT_TRUE(state().in_rto_recovery);
  bed().run_for(kPathRtt);
  ack(1);
  for (const int number : sent())  // something new first
    EXPECT_GE(number, count);
  ack(3);
  const TcpSnapshot s = state();
  EXPECT_FALSE(s.in_rto_recovery);
  EXPECT_GE(s.cwnd, before.cwnd);
  EXPECT_EQ(s.ssthresh, before.ssthresh);
  for (const int number : sent())
    EXPECT_GE(number, count);
}

// RFC 3522: the echoed timestamp is that of the original.
TEST_P(LossRecoveryTest, ASpuriousTimeOutIsUndoneByItsTimestamp) {
  warm_up();
  send(10);
  sent();
  const TcpSnapshot before = state();
  const std::uint32_t original = bed().peer.last_tsval;
  bed().run_for(400ms);
  EXPECT_TRUE(state().in_rto_recovery);
  bed().peer.last_tsval = original;
  ack(1);
  EXPECT_FALSE(state().in_rto_recovery);
  EXPECT_GE(state().cwnd, before.cwnd);
}

TEST_P(LossRecoveryTest, ATimeOutThatWasOneResendsAll) {
  warm_up();
  send(10);
  sent();
  bed().run_for(400ms);
  sent();
  for (int i = 1, round = 0; i < 10 && round < 30; ++round) {
    bed().run_for(kPathRtt);
    ack(i);
    for (const int number : sent()) {
      EXPECT_LE(number, 10);
      i = std::max(i, std::min(number + 1, 10));
    }
  }
  ack(10);
  EXPECT_FALSE(state().in_rto_recovery);
  EXPECT_TRUE(state().sent.empty());
  EXPECT_LE(state().ssthresh, 8u * 1460);
}

// RFC 6298 3: what was sent twice measures nothing.
TEST_P(LossRecoveryTest, KarnsRule) {
  warm_up();
  send(1);
  sent();
  const Duration before = state().srtt;
  bed().run_for(400ms);
  ack(1);
  EXPECT_EQ(state().srtt, before);
}

// RFC 5681 4.1.
TEST_P(LossRecoveryTest, AfterAPauseTheWindowIsTheInitialOne) {
  warm_up();
  for (int i = 0; i < 4; ++i) {
    send(60);
    while (bed().find()->unacknowledged() > 0) {
      bed().run_for(kPathRtt);
      bed().give(bed().peer.ack());
    }
  }
  EXPECT_GT(state().cwnd, 20u * 1448);
  bed().run_for(2s);
  bed().take();
  send(60);
  EXPECT_LE(sent().size(), 11u);
}

// RFC 7661: what did not fill the window does not enlarge it.
TEST_P(LossRecoveryTest, AWindowThatIsNotUsedDoesNotGrow) {
  warm_up();
  const std::uint32_t before = state().cwnd;
  for (int i = 0; i < 50; ++i) {
    bed().write(ramp(2000));
    bed().run_for(kPathRtt);
    bed().give(bed().peer.ack());
  }
  EXPECT_EQ(state().cwnd, before);
}

// Without what is known of the segments a connection goes on all the same.
TEST_P(LossRecoveryTest, AConnectionThatComesWithoutItsScoreboard) {
  warm_up();
  send(10);
  sent();
  bed().run_for(kPathRtt);
  ack(0, {{1, 4}});
  sent();
  Connection& connection = *bed().find();
  FrozenConnection frozen = bed().stack().freeze(connection, bed().now);
  TcpSnapshot snapshot = bed().stack().capture(frozen, bed().now);
  snapshot.sent.clear();
  snapshot.recovery = {};
  snapshot.congestion = {};
  TestNode& other = bed().owner == &bed().a ? bed().b : bed().a;
  auto attached = other.stack->attach(snapshot, {connection.id(), Epoch{99}}, "web", {}, bed().now);
  ASSERT_TRUE(attached) << attached.error().text;
  bed().stack().release(std::move(frozen), CloseReason::kMigrated);
  bed().deliver();
  bed().owner = &other;
  attached->connection().bind("app", &bed().app);
  bed().stack().thaw(std::move(*attached), bed().now);
  bed().app.closed.reset();
  bed().deliver();
  for (int i = 0; i < 20 && bed().find()->unacknowledged() > 0; ++i) {
    bed().run_for(300ms);
    bed().give(bed().peer.ack());
  }
  EXPECT_EQ(bed().find()->unacknowledged(), 0u);
}

}  // namespace
}  // namespace migd::test
