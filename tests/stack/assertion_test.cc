// A failed assertion of lwIP costs the connection that met it, and nothing else.
#include "stack/assertion_guard.h"

#include "stack/tcp_connection.h"
#include "tests/stack/test_bed.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace migd::test {

// Reaches into a connection to damage it.
struct PcbAccess {
  static tcp_pcb& of(Connection& connection) {
    return *static_cast<TcpConnection&>(connection).pcb_;
  }
};

namespace {

TEST(AssertionGuardTest, ReturnsFromTheMiddleOfAFailure) {
  int steps = 0;
  auto call = [&steps] {
    ++steps;
    AssertionGuard::fail("the ground is firm", "earth.c", 7);
  };
  EXPECT_FALSE(AssertionGuard::run(call));
  EXPECT_EQ(steps, 1);
  EXPECT_STREQ(AssertionGuard::last_failure().message, "the ground is firm");
  auto fine = [&steps] { ++steps; };
  EXPECT_TRUE(AssertionGuard::run(fine));
  EXPECT_EQ(steps, 2);
}

TEST(AssertionGuardTest, Nests) {
  bool inner_survived = true, after = false;
  auto outer = [&] {
    auto inner = [] { AssertionGuard::fail("inner", "f", 1); };
    inner_survived = AssertionGuard::run(inner);
    after = true;
  };
  EXPECT_TRUE(AssertionGuard::run(outer));
  EXPECT_FALSE(inner_survived);
  EXPECT_TRUE(after);
}

TEST(AssertionGuardDeathTest, WithoutAGuardTheProcessEnds) {
  EXPECT_DEATH(AssertionGuard::fail("nobody guards", "f", 1), "nobody guards");
}

// What a failed assertion leaves behind is in an unknown state: it is left alone, not freed. The
// leak checker need not say so.
struct LeaksAreMeant {
#ifdef __SANITIZE_ADDRESS__
  LeaksAreMeant() {
    __lsan_disable();
  }
  ~LeaksAreMeant() {
    __lsan_enable();
  }
#endif
};

class AssertionTest : public ::testing::Test {
 protected:
  AssertionTest() {
    bed.connect();
    PeerOptions options;
    options.local.port = 40001;
    other = Peer(options);
    give(other.syn());
    give(other.ack());
    bed.a.established.at(1)->bind("app", &other_app);
  }
  void give(const Bytes& packet) {
    Frame frame = bed.a.pool->copy_of(packet);
    bed.a.stack->input(frame, bed.now);
    settle();
  }
  void settle() {
    bed.a.stack->deliver_events(bed.now);
    for (const SeenSegment& segment : bed.a.sent) {
      if (segment.tuple.peer == other.options.local) other.take(segment);
    }
    bed.a.sent.clear();
  }
  tcp_pcb& pcb() { return PcbAccess::of(*bed.find()); }
  std::uint64_t quarantined() {
    return bed.a.metrics.counter("migd_stack_quarantined_connections_total").value;
  }
  void expect_that_only_this_one_is_lost() {
    settle();
    EXPECT_EQ(quarantined(), 1u);
    EXPECT_EQ(bed.app.closed, CloseReason::kInternalError);
    EXPECT_EQ(bed.app.closed_events, 1);
    EXPECT_EQ(bed.find(), nullptr);
    EXPECT_EQ(bed.a.stack->counts().total, 1u);
    EXPECT_EQ(bed.a.gone_reason, CloseReason::kInternalError);

    give(other.data(ramp(500)));
    EXPECT_EQ(other_app.received, ramp(500));
    Connection* live = bed.a.stack->find(FourTuple{other.options.remote, other.options.local});
    ASSERT_NE(live, nullptr);
    EXPECT_EQ(live->write(ramp(300)), 300u);
    settle();
    EXPECT_EQ(other.received, ramp(300));

    // The tuple is free again, and its next connection works.
    Peer again(bed.peer.options);
    bed.peer = again;
    bed.app = TestApp();
    bed.a.established.clear();
    bed.wire.clear();
    bed.connect();
    bed.give(bed.peer.data(ramp(10)));
    EXPECT_EQ(bed.app.received, ramp(10));
  }

  LeaksAreMeant leaks;  // before what leaks
  TestBed bed;
  Peer other;
  TestApp other_app;
};

TEST_F(AssertionTest, WhileWriting) {
  pcb().snd_queuelen = 5;  // buffers are counted that are not there
  EXPECT_EQ(bed.find()->write(ramp(100)), 0u);
  expect_that_only_this_one_is_lost();
}

TEST_F(AssertionTest, WhileReceiving) {
  bed.find()->write(ramp(100));
  settle();
  pcb().snd_queuelen = 9;
  Bytes ack = bed.peer.ack({.ack = bed.peer.first_byte + 100});
  Frame frame = bed.a.pool->copy_of(ack);
  EXPECT_EQ(bed.a.stack->input(frame, bed.now), Stack::InputVerdict::kTaken);
  expect_that_only_this_one_is_lost();
}

TEST_F(AssertionTest, WhileALargeSegmentIsReceived) {  // a frame is lent to lwIP
  bed.find()->write(ramp(100));
  settle();
  pcb().snd_queuelen = 9;
  Bytes packet = bed.peer.data(ramp(1400), {.ack = bed.peer.first_byte + 100});
  Frame frame = bed.a.pool->copy_of(packet);
  EXPECT_EQ(bed.a.stack->input(frame, bed.now), Stack::InputVerdict::kTaken);
  expect_that_only_this_one_is_lost();
}

TEST_F(AssertionTest, WhileATimerRuns) {
  bed.find()->write(ramp(3000));
  settle();
  pcb().persist_backoff = 1;
  std::swap(pcb().unsent, pcb().unacked);
  pcb().state = LISTEN;  // tcp_output() refuses listeners
  pcb().snd_wnd = 1000;
  bed.now += 100s;
  bed.a.stack->on_deadline(bed.now);
  expect_that_only_this_one_is_lost();
}

}  // namespace
}  // namespace migd::test
