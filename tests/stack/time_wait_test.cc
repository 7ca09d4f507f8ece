// Connections in TIME_WAIT are records while nothing happens to them, and nobody can tell.
// What they answer is in connection_test.cc and none_is_ended_test.cc.
#include "stack/time_wait_record.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "stack/snapshot_rules.h"
#include "tests/stack/lwip_memory.h"
#include "tests/stack/test_bed.h"
#include "tests/support/snapshot_text.h"

namespace migd::test {
namespace {

// Both have closed, and the application has heard it.
void end(TestBed& bed) {
  bed.connect();
  bed.give(bed.peer.data(ramp(3000)));
  bed.write(ramp(700));
  bed.give(bed.peer.ack());
  bed.close();
  bed.give(bed.peer.ack());
  bed.give(bed.peer.fin());
  EXPECT_EQ(bed.app.closed, CloseReason::kFinished);
  bed.deliver();
  bed.take();
}

class TimeWaitTest : public MovingTest {
 protected:
  void end() { test::end(bed()); }
  std::uint32_t resting() { return bed().stack().counts().resting; }
};
MIGD_MOVING_SUITE(TimeWaitTest);

TEST_P(TimeWaitTest, RestsOnceItsApplicationHasHeardTheEnd) {
  end();
  EXPECT_EQ(resting(), 1u);
  EXPECT_EQ(bed().stack().counts().total, 1u);
  EXPECT_EQ(bed().stack().counts().memory, 0u);
  EXPECT_EQ(bed().owner->gone_reason == CloseReason::kFinished, false);
}

TEST_P(TimeWaitTest, IsAsItWasWhenSomebodyAsks) {
  end();
  bed().run_for(20s);
  ASSERT_EQ(resting(), 1u);
  const Connection* const found = bed().find();
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->state(), TcpState::kTimeWait);
  EXPECT_EQ(found->service(), "web");
  EXPECT_EQ(found->application(), moving() ? "" : "app");  // none had it any more
  EXPECT_EQ(found->bytes_in(), 3000u);
  EXPECT_EQ(found->bytes_out(), 700u);
  EXPECT_GE(found->age(), 20s);
  EXPECT_EQ(found->first_sent().has_value(), !moving());  // it has said nothing here
  EXPECT_TRUE(found->application_done());
  EXPECT_EQ(bed().stack().find(found->reference()), found);
  EXPECT_EQ(bed().stack().find(found->id()), found);
  bed().deliver();
  EXPECT_EQ(resting(), 1u);
}

TEST_P(TimeWaitTest, AVisitWakesNoneForLong) {
  end();
  int visited = 0;
  bed().stack().for_each([&](const Connection& connection) {
    EXPECT_EQ(connection.state(), TcpState::kTimeWait);
    ++visited;
  });
  EXPECT_EQ(visited, 1);
  EXPECT_EQ(resting(), 1u);
}

TEST_P(TimeWaitTest, AnswersAndRestsAgain) {
  end();
  for (int i = 0; i < 3; ++i) {
    bed().run_for(50s);  // each begins it anew
    bed().give(bed().peer.fin({}, {.seq = bed().peer.send_next - 1}));
    const SeenSegment answer = bed().take_one();
    EXPECT_TRUE(answer.pure_ack());
    EXPECT_EQ(answer.seq, bed().peer.receive_next);
    EXPECT_EQ(answer.ack, bed().peer.send_next);
    EXPECT_EQ(resting(), 1u);
  }
  bed().run_for(61s);
  EXPECT_EQ(bed().stack().counts().total, 0u);
  EXPECT_EQ(bed().owner->gone_reason, CloseReason::kFinished);
}

TEST_P(TimeWaitTest, IsGoneOnceAndInTime) {
  end();
  const int before = bed().owner->gone;
  const int opened = bed().owner->opened;
  const Duration over = moving() ? 1s : 0s;  // a clock of a node that it came to ticks elsewhere
  bed().run_for(59s);
  EXPECT_EQ(bed().stack().counts().total, 1u);
  const int moved = moving() ? 1 : 0;  // run_for() begins with a move, and the source lets go
  bed().run_for(1s + over);
  EXPECT_EQ(bed().stack().counts().total, 0u);
  EXPECT_EQ(bed().stack().next_deadline(), kNever);
  EXPECT_EQ(bed().owner->gone_reason, CloseReason::kFinished);
  if (moved == 0) {
    EXPECT_EQ(bed().owner->gone, before + 1);
    EXPECT_EQ(bed().owner->opened, opened);
  }
}

TEST_P(TimeWaitTest, DoesNotRestWhileSomethingIsUnread) {
  bed().app.reads = false;
  bed().connect();
  bed().shutdown_write();
  bed().give(bed().peer.ack());
  bed().give(bed().peer.fin(ramp(400)));
  bed().run_for(1s);
  EXPECT_EQ(bed().state(), TcpState::kTimeWait);
  EXPECT_EQ(resting(), 0u);
  bed().app.reads = true;
  bed().consume_all();
  EXPECT_EQ(bed().app.received, ramp(400));
  bed().run_for(1s);
  EXPECT_EQ(resting(), 1u);
}

TEST_P(TimeWaitTest, ANewConnectionTakesItsPlace) {
  end();
  ASSERT_EQ(resting(), 1u);
  const ConnectionId first = bed().find()->id();
  const FourTuple tuple = bed().connection_tuple();
  PeerOptions options = bed().peer.options;
  const std::uint32_t later = bed().peer.tsval + 1000;
  options.iss = (bed().peer.send_next + 100'000).value();
  bed().peer = Peer(options);
  bed().peer.tsval = later;
  bed().give(bed().peer.syn());
  EXPECT_TRUE(bed().peer.established);
  EXPECT_EQ(resting(), 0u);
  EXPECT_EQ(bed().stack().counts().total, 1u);
  ASSERT_NE(bed().stack().find(tuple), nullptr);
  EXPECT_NE(bed().stack().find(tuple)->id(), first);
  EXPECT_EQ(bed().stack().find(first), nullptr);
}

TEST_P(TimeWaitTest, EndsWithItsStack) {
  end();
  bed().stack().shut_down(bed().now);
  bed().deliver();
  EXPECT_EQ(bed().stack().counts().total, 0u);
  EXPECT_EQ(bed().owner->gone_reason, CloseReason::kLocalAbort);
  EXPECT_TRUE(bed().take().empty()) << "no RST belongs to it";
}

TEST_P(TimeWaitTest, ARecordKeepsWhatCountsAndNoRuleIsBroken) {
  end();
  Connection& connection = *bed().find();
  FrozenConnection frozen = bed().stack().freeze(connection, bed().now);
  const TcpSnapshot woken = bed().stack().capture(frozen, bed().now);
  EXPECT_TRUE(check_snapshot(woken));
  const TimeWaitRecord record(woken, {}, bed().now);
  const TcpSnapshot kept = record.snapshot(bed().now + 5s);
  EXPECT_TRUE(check_snapshot(kept));
  EXPECT_EQ(kept.time_in_state, woken.time_in_state + 5s);
  EXPECT_EQ(kept.age, woken.age + 5s);
  EXPECT_EQ(kept.ts_clock, woken.ts_clock + 5000);
  // A record of what a record was, is that record: nothing wears off.
  EXPECT_EQ(to_text(TimeWaitRecord(kept, {}, bed().now + 5s).snapshot(bed().now + 9s)),
            to_text(record.snapshot(bed().now + 9s)));
  bed().stack().thaw(std::move(frozen), bed().now);
  bed().deliver();
  EXPECT_EQ(resting(), 1u);
}

// RFC 5961 7: sleeping in between does not give a stranger new answers.
TEST(TimeWaitAloneTest, ChallengesAreCountedAllTheSame) {  // a move begins the count anew
  TestBed bed;
  end(bed);
  for (int i = 0; i < 40; ++i) {
    bed.give(bed.peer.data(ramp(10), {.seq = bed.peer.send_next + (1u << 24)}));
    EXPECT_EQ(bed.stack().counts().resting, 1u);
  }
  EXPECT_EQ(bed.take().size(), std::size_t{ChallengeBudget::kMost});
}

TEST(TimeWaitAloneTest, WithoutMemoryToWakeItStays) {
  TestBed bed;
  end(bed);
  {
    const RefusedMemory refused(MEMP_TCP_PCB);
    EXPECT_EQ(bed.find(), nullptr);
    bed.stack().for_each([](Connection&) { ADD_FAILURE() << "of what is it made?"; });
    bed.run_for(70s);
    EXPECT_EQ(bed.stack().counts().resting, 1u) << "its end would be told to nobody";
  }
  bed.run_for(2s);
  EXPECT_EQ(bed.stack().counts().total, 0u);
  EXPECT_EQ(bed.owner->gone_reason, CloseReason::kFinished);
}

}  // namespace
}  // namespace migd::test
