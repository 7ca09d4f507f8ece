// Nodes that have little memory for their connections, which move all the same.
#include <gtest/gtest.h>

#include "tests/sim/scenario.h"
#include "tests/sim/seeds.h"

namespace migd::sim {
namespace {

TEST(LittleMemory, TheStreamsArriveAndNobodySeesTheMoves) {
  for_each_seed(2, [](std::uint64_t seed) {
    for (Scenario scenario : {download(), upload(100'000), echo(30, 300), source(150'000)}) {
      scenario.cluster.seed = seed;
      scenario.cluster.memory_bytes = 20'000;  // less than what is written at a time
      scenario.moves = {.when = Moves::When::kEveryPackets, .every = 3};
      const Outcome moved = expect_unseen(scenario);
      EXPECT_GE(moved.migrations.completed, 3) << moved.report();
      if (::testing::Test::HasFailure()) return;
    }
  });
}

}  // namespace
}  // namespace migd::sim
