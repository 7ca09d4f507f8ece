// Nodes that have little memory for their connections, which move all the same.
#include <gtest/gtest.h>

#include "stack/memory_budget.h"
#include "tests/sim/scenario.h"
#include "tests/sim/seeds.h"

namespace migd::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kLittle = 20'000;  // less than what is written at a time

// The most that a node's connections ever kept, looked at every 100 us.
void look(SimCluster& cluster, std::uint64_t& most) {
  for (const auto& machine : cluster.machines()) {
    most = std::max(most, machine->node().stack().counts().memory);
  }
  cluster.world().schedule(cluster.world().now() + 100us, [&] { look(cluster, most); });
}

TEST(LittleMemory, TheStreamsArriveAndNobodySeesTheMoves) {
  for_each_seed(2, [](std::uint64_t seed) {
    for (Scenario scenario : {download(), upload(100'000), echo(30, 300), source(150'000)}) {
      scenario.cluster.seed = seed;
      scenario.cluster.memory_bytes = kLittle;
      auto most = std::make_shared<std::uint64_t>(0);
      scenario.observe = [most](SimCluster& cluster) { look(cluster, *most); };
      scenario.moves = {.when = Moves::When::kEveryPackets, .every = 3};
      const Outcome moved = expect_unseen(scenario);
      EXPECT_GE(moved.migrations.completed, 3) << moved.report();
      EXPECT_LE(*most, kLittle + 2 * MemoryBudget::kEach) << scenario.name;
      if (scenario.port != kEchoPort) {
        EXPECT_GE(*most, kLittle) << "never scarce: " << scenario.name;
      }
      if (::testing::Test::HasFailure()) return;
    }
  });
}

}  // namespace
}  // namespace migd::sim
