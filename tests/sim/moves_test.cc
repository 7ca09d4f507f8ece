// Every application, with its connection moving there and back all the time, on paths of every
// kind: invariants 1, 2, 3 and 5.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/sim/scenario.h"
#include "tests/sim/seeds.h"

namespace migd::sim {
namespace {

// ---- every k packets, on a path without faults ----

class EveryPackets : public ::testing::TestWithParam<Scenario> {};

TEST_P(EveryPackets, NobodySeesIt) {
  for_each_seed(2, [](std::uint64_t seed) {
    for (const std::uint64_t every : {1, 3, 20}) {
      Scenario scenario = GetParam();
      scenario.cluster.seed = seed;
      scenario.moves = {.when = Moves::When::kEveryPackets, .every = every};
      const Outcome moved = expect_unseen(scenario);
      EXPECT_GE(moved.migrations.completed, 3) << moved.report();
      if (::testing::Test::HasFailure()) return;
    }
  });
}

template <typename Change>
Scenario with(Scenario scenario, const std::string& suffix, Change change) {
  change(scenario);
  scenario.name += "_" + suffix;
  return scenario;
}

std::vector<Scenario> applications() {
  return {download(),         download(3),     upload(300'000), echo(60, 700),
          echo_bulk(200'000), source(300'000), discard(300'000)};
}

std::vector<Scenario> clean_scenarios() {
  std::vector<Scenario> all;
  for (const Scenario& plain : applications()) {
    all.push_back(plain);
    all.push_back(with(plain, "v6", [](Scenario& s) { s.cluster.family = Family::kIpv6; }));
    all.push_back(with(plain, "bare", [](Scenario& s) {
      s.client.timestamps = false;
      s.client.sack = false;
      s.client.window_scale.reset();
    }));
    all.push_back(with(plain, "offload", [](Scenario& s) {
      s.cluster.link.capabilities = {.mtu = 1500, .checksum_offload = true, .tcp_gso = true};
      s.cluster.link.coalesce = true;
      s.cluster.link.batch_window = 30us;
    }));
  }
  // Between the nodes, packets of different flows change places; those of one do not.
  for (const bool classifier_apart : {false, true}) {
    all.push_back(with(upload(600'000), "queues", [classifier_apart](Scenario& s) {
      s.cluster.fabric_path.queue_skew = 2ms;
      s.cluster.client_path.bytes_per_second = 40'000'000;  // all the time, no window at once
      s.cluster.hosts = 3;
      s.cluster.classifier_apart = classifier_apart;
    }));
  }
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i].name += "_" + std::to_string(i);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Clean, EveryPackets, ::testing::ValuesIn(clean_scenarios()),
                         [](const auto& param_info) { return param_info.param.name; });

// ---- at random moments, on bad paths ----

struct Weather {
  std::string name;
  PathOptions client;
  Duration mean = 4ms;  // between two moves
};

class BadPaths : public ::testing::TestWithParam<Weather> {};

TEST_P(BadPaths, StreamsStayEqual) {
  for_each_seed(2, [](std::uint64_t seed) {
    for (Scenario scenario : applications()) {
      scenario.cluster.seed = seed;
      scenario.cluster.client_path = GetParam().client;
      scenario.moves = {.when = Moves::When::kAtRandom, .mean = GetParam().mean};
      scenario.client.sack = seed % 3 != 0;
      scenario.client.timestamps = seed % 2 != 0;
      const Outcome moved = expect_unseen(scenario);
      EXPECT_GE(moved.migrations.completed, 3) << moved.report();
      if (::testing::Test::HasFailure()) return;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(
    Weather, BadPaths,
    ::testing::Values(Weather{"loss", {.delay = 5ms, .loss = 0.02}},
                      Weather{"heavy_loss", {.delay = 5ms, .loss = 0.08}, 20ms},
                      Weather{"reordering",
                              {.delay = 3ms, .jitter = 1ms, .reorder = 0.1, .reorder_delay = 5ms}},
                      Weather{"repeating", {.delay = 3ms, .duplicate = 0.1}},
                      Weather{"damaging", {.delay = 3ms, .corrupt = 0.02}},
                      Weather{"everything",
                              {.delay = 4ms,
                               .jitter = 500us,
                               .loss = 0.01,
                               .duplicate = 0.02,
                               .corrupt = 0.01,
                               .reorder = 0.05,
                               .reorder_delay = 4ms}}),
    [](const auto& param_info) { return param_info.param.name; });

// ---- equal seeds, equal runs ----

TEST(Simulator, EqualSeedsGiveEqualRuns) {
  Scenario scenario = echo_bulk(100'000);
  scenario.cluster.client_path.loss = 0.02;
  scenario.moves = {.when = Moves::When::kAtRandom, .mean = 10ms};
  const Outcome first = run(scenario, true), second = run(scenario, true);
  EXPECT_EQ(first.fingerprint, second.fingerprint);
  scenario.cluster.seed = 2;
  EXPECT_NE(run(scenario, true).fingerprint, first.fingerprint);
}

}  // namespace
}  // namespace migd::sim
