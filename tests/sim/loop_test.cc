// Virtual time: what the event-loop contract does not say, because only the simulator has it.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/event_loop_contract.h"
#include "tests/support/sim_loop.h"
#include "tests/support/sim_rng.h"

namespace migd {

struct SimLoopMaker {
  sim::SimLoop world;
  sim::SimNodeLoop value{world, {.origin = 77s, .error_ppm = -300}};
  EventLoop& loop() { return value; }
};
INSTANTIATE_TYPED_TEST_SUITE_P(Sim, EventLoopContract, SimLoopMaker);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EventLoopFdContract);  // there are none here

}  // namespace migd

namespace migd::sim {
namespace {

TEST(SimLoopTest, RunsInTheOrderOfTimeThenOfScheduling) {
  SimLoop world;
  std::string order;
  world.schedule(Instant(2ms), [&] { order += 'c'; });
  world.schedule(Instant(1ms), [&] { order += 'a'; });
  world.schedule(Instant(1ms), [&] { order += 'b'; });
  const auto cancelled = world.schedule(Instant(1ms), [&] { order += 'x'; });
  world.cancel(cancelled);
  world.run_until(Instant(5ms));
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(world.now(), Instant(5ms));
}

TEST(SimLoopTest, ClocksRunApartAndTimersNeverFireEarly) {
  SimRng rng(7);
  for (int i = 0; i < 200; ++i) {
    const SimClock clock{Duration(static_cast<std::int64_t>(rng.below(std::uint64_t{1} << 60))),
                         static_cast<std::int64_t>(rng.below(2001)) - 1000};
    SimLoop world;
    world.run_until(Instant(Duration(static_cast<std::int64_t>(rng.below(1u << 30)))));
    SimNodeLoop loop(world, clock);
    const Instant deadline = loop.now() + Duration(static_cast<std::int64_t>(rng.below(1u << 30)));
    Instant fired = kNever;
    const auto timer = loop.make_timer([&] { fired = loop.now(); });
    timer->start(deadline);
    loop.run();
    EXPECT_GE(fired, deadline);
    EXPECT_LE(fired - deadline, Duration(2));
  }
}

TEST(SimLoopTest, APausedProcessIsLateAndAKilledOneSilent) {
  SimLoop world;
  SimNodeLoop loop(world, {});
  std::vector<std::string> log;
  const auto first = loop.make_timer([&] { log.push_back("first"); });
  const auto second = loop.make_timer([&] { log.push_back("second"); });
  first->start(Instant(1ms));
  second->start(Instant(2ms));
  loop.pause();
  world.run_until(Instant(10ms));
  EXPECT_TRUE(log.empty());
  second->stop();  // a callback that ran late may stop what is late itself
  loop.resume();
  world.run_for(1ms);
  EXPECT_EQ(log, std::vector<std::string>{"first"});
  first->start(Instant(20ms));
  loop.post([&] { log.push_back("posted"); });
  loop.kill();
  world.run_for(1s);
  EXPECT_EQ(log.size(), 1u);
}

TEST(SimLoopTest, ATimerMayDestroyItselfInItsCallback) {
  SimLoop world;
  SimNodeLoop loop(world, {});
  std::unique_ptr<Timer> timer;
  bool fired = false;
  timer = loop.make_timer([&] {
    timer.reset();
    fired = true;
  });
  timer->start(Instant(1ms));
  world.run_until(Instant(2ms));
  EXPECT_TRUE(fired);
}

TEST(SimRngTest, EqualSeedsGiveEqualSequencesAndSplitsDiffer) {
  SimRng a(5), b(5), c = SimRng::split(5, 1), d = SimRng::split(5, 2);
  EXPECT_EQ(a.next(), b.next());
  EXPECT_NE(c.next(), d.next());
  int hits = 0;
  for (int i = 0; i < 10'000; ++i)
    hits += a.chance(0.25) ? 1 : 0;
  EXPECT_NEAR(hits, 2500, 250);
}

}  // namespace
}  // namespace migd::sim
