// Handshakes that no node keeps anything for: each SYN is answered with a cookie.
#include <gtest/gtest.h>

#include "tests/sim/scenario.h"
#include "tests/sim/seeds.h"

namespace migd::sim {
namespace {

// Counts connections that were opened when their client had its answer already.
Scenario by_cookie(Scenario scenario, std::uint64_t seed, int& opened) {
  scenario.cluster.seed = seed;
  scenario.cluster.syn_backlog = 0;
  scenario.client.timestamps = seed % 2 != 0;
  scenario.disturb = [&opened](SimCluster& cluster, SimClient& client) {
    cluster.on_message([&opened, &client](SimMachine&, const Message& message) {
      if (!std::holds_alternative<ConnectionOpened>(message)) return;
      opened += client.tcp().state() != Tcp::State::kSynSent ? 1 : 0;
    });
  };
  return scenario;
}

std::vector<Scenario> one_of_each() {
  return {download(), upload(100'000), echo(30, 300), source(150'000)};
}

TEST(SynCookies, NobodySeesIt) {
  for_each_seed(2, [](std::uint64_t seed) {
    for (const bool apart : {false, true}) {
      for (const Scenario& plain : one_of_each()) {
        int opened = 0;
        Scenario scenario = by_cookie(plain, seed, opened);
        scenario.cluster.classifier_apart = apart;
        scenario.moves = {.when = Moves::When::kEveryPackets, .every = 3};
        const Outcome moved = expect_unseen(scenario);
        EXPECT_EQ(opened, 2) << moved.report();  // with and without moves
        EXPECT_GE(moved.migrations.completed, 3) << moved.report();
        if (::testing::Test::HasFailure()) return;
      }
    }
  });
}

TEST(SynCookies, OnBadPaths) {
  for_each_seed(3, [](std::uint64_t seed) {
    for (const Scenario& plain : one_of_each()) {
      int opened = 0;
      Scenario scenario = by_cookie(plain, seed, opened);
      scenario.cluster.client_path = {.delay = 4ms,
                                      .jitter = 500us,
                                      .loss = 0.05,
                                      .duplicate = 0.05,
                                      .reorder = 0.05,
                                      .reorder_delay = 4ms};
      scenario.moves = {.when = Moves::When::kAtRandom, .mean = 5ms};
      const Outcome moved = expect_unseen(scenario);
      EXPECT_EQ(opened, 2) << moved.report();
      if (::testing::Test::HasFailure()) return;
    }
  });
}

}  // namespace
}  // namespace migd::sim
