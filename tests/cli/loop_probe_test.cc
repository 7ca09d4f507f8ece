#include "cli/loop_probe.h"

#include <gtest/gtest.h>

#include "tests/support/sim_loop.h"

namespace migd {
namespace {

struct LoopProbeTest : ::testing::Test {
  sim::SimLoop world;
  sim::SimNodeLoop loop{world, {}};
  Metrics metrics;
  LoopProbe probe{loop, metrics};
  const DurationHistogram& delays = metrics.histogram("migd_loop_delay_microseconds");
};

TEST_F(LoopProbeTest, ALoopWithNothingToDoIsNeverLate) {
  world.run_for(20 * LoopProbe::kInterval);
  EXPECT_EQ(delays.count(), 20u);
  EXPECT_EQ(delays.sum(), Duration::zero());
}

TEST_F(LoopProbeTest, TellsHowLongALoopWasHeldUp) {
  world.run_for(LoopProbe::kInterval);
  loop.pause();
  world.run_for(LoopProbe::kInterval + 30ms);
  loop.resume();
  world.run_for(1ms);
  EXPECT_EQ(delays.count(), 2u);
  EXPECT_EQ(delays.sum(), Duration(30ms));
  world.run_for(LoopProbe::kInterval);
  EXPECT_EQ(delays.count(), 3u) << "and goes on";
}

}  // namespace
}  // namespace migd
