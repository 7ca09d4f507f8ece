// Connections whose client is near: they drain before they are frozen, so that little has to
// travel; and whatever happens meanwhile happens to a live connection.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/sim/scenario.h"
#include "tests/sim/seeds.h"

namespace migd::sim {
namespace {

constexpr Duration kNear = 100us, kFar = 5ms;

struct Sizes {
  std::vector<std::uint32_t> blobs;
  int withdrawn = 0;  // asked for, never frozen
};

Scenario at_distance(Scenario scenario, Duration delay, std::uint64_t seed, Sizes& sizes) {
  scenario.cluster.client_path.delay = delay;
  scenario.cluster.fabric_path.delay = 50us;
  scenario.cluster.seed = seed;
  scenario.moves = {.when = Moves::When::kEveryPackets, .every = 40};
  scenario.disturb = [&sizes](SimCluster& cluster, SimClient&) {
    cluster.on_message([&sizes](SimMachine& machine, const Message& message) {
      const auto* finished = std::get_if<MigrationFinished>(&message);
      if (finished == nullptr || !machine.options().self.roles.host) return;
      if (finished->outcome == MigrationOutcome::kCompleted) {
        sizes.blobs.push_back(finished->blob_bytes);
      } else if (!finished->stage_at[static_cast<std::size_t>(Stage::kFrozen)]) {
        ++sizes.withdrawn;
      }
    });
  };
  return scenario;
}

std::uint32_t median(std::vector<std::uint32_t> values) {
  EXPECT_FALSE(values.empty());
  if (values.empty()) return 0;
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

TEST(Settling, ANearDownloadMovesWithLittleToCarry) {
  for_each_seed(1, [](std::uint64_t seed) {
    Sizes near, far;
    const Outcome moved = expect_unseen(at_distance(source(1'500'000), kNear, seed, near));
    EXPECT_GE(moved.migrations.completed, 5) << moved.report();
    expect_unseen(at_distance(source(1'500'000), kFar, seed, far));
    EXPECT_LT(median(near.blobs), 20'000u);
    EXPECT_GT(median(far.blobs), 50'000u);
  });
}

TEST(Settling, EveryApplicationMovesNearItsClient) {
  for_each_seed(1, [](std::uint64_t seed) {
    for (const Scenario& plain :
         {download(3), upload(300'000), echo_bulk(400'000), discard(300'000)}) {
      Sizes sizes;
      const Outcome moved = expect_unseen(at_distance(plain, kNear, seed, sizes));
      EXPECT_GE(moved.migrations.completed, 2) << moved.report();
      if (::testing::Test::HasFailure()) return;
    }
  });
}

// The client resets while the connection settles, at one time or another.
TEST(Settling, AConnectionThatEndsMeanwhileIsNotMoved) {
  Sizes sizes;
  for_each_seed(20, [&sizes](std::uint64_t seed) {
    Scenario scenario = at_distance(source(3'000'000), kNear, seed, sizes);
    scenario.script = [seed](SimClient& client) {
      client.await_bytes(200'000 + 7'000 * (seed % 20)).abort();
    };
    scenario.verify = {};
    scenario.same_streams = false;
    const Outcome moved = run(scenario, true);
    EXPECT_TRUE(moved.violations.empty()) << moved.report();
  });
  EXPECT_GE(sizes.withdrawn, 1);
}

}  // namespace
}  // namespace migd::sim
