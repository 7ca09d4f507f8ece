// Seeds over everything: families, options, windows, offloads, paths, applications, moves; nodes
// that fail, messages that are late or come twice. By default some; MIGD_SIM_SECONDS=N draws fresh
// seeds for N seconds. Four tests, that four processors may run them.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "tests/sim/faults.h"
#include "tests/sim/message_faults.h"
#include "tests/sim/scenario.h"
#include "tests/sim/seeds.h"
#include "tests/sim/strike.h"

namespace migd::sim {
namespace {

PathOptions random_path(SimRng& rng, Duration delay_max) {
  PathOptions path;
  path.delay = Duration(static_cast<std::int64_t>(
      rng.between(50'000, static_cast<std::uint64_t>(delay_max.count()))));
  if (rng.chance(0.4)) return path;  // without faults
  if (rng.chance(0.5)) path.loss = 0.03;
  if (rng.chance(0.3)) path.duplicate = 0.05;
  if (rng.chance(0.3)) path.corrupt = 0.02;
  if (rng.chance(0.4)) path.reorder = 0.05;
  if (rng.chance(0.4)) path.jitter = path.delay / 4;
  if (rng.chance(0.2)) path.bytes_per_second = 2'000'000;
  path.reorder_delay = path.delay;
  return path;
}

Scenario random_application(SimRng& rng) {
  switch (rng.below(6)) {
    case 0:
      return download(rng.between(1, 3));
    case 1:
      return upload(rng.between(0, 400'000));
    case 2:
      return echo(rng.between(1, 60), rng.between(1, 5000));
    case 3:
      return echo_bulk(rng.between(1, 300'000));
    case 4:
      return source(rng.between(1, 400'000));
    default:
      return discard(rng.between(1, 400'000));
  }
}

Scenario random_scenario(std::uint64_t seed) {
  SimRng rng = SimRng::split(seed, 77);
  Scenario scenario = random_application(rng);
  ClusterOptions& cluster = scenario.cluster;
  cluster.seed = seed;
  cluster.family = rng.chance(0.5) ? Family::kIpv4 : Family::kIpv6;
  cluster.hosts = static_cast<int>(rng.between(2, 3));
  cluster.forwarder_is_host = rng.chance(0.25);
  cluster.timestamps = rng.chance(0.8);
  cluster.sack = rng.chance(0.8);
  cluster.window_bytes = rng.chance(0.3) ? 8192 : 256u << 10;
  cluster.send_buffer_bytes = rng.chance(0.3) ? 16384 : 256u << 10;
  cluster.client_path = random_path(rng, 10ms);
  cluster.fabric_path = random_path(rng, 1ms);
  cluster.fabric_path.bytes_per_second = 0;
  // Two bits of one packet may leave its checksum as it was, and then no TCP notices.
  if (cluster.client_path.corrupt > 0) cluster.fabric_path.corrupt = 0;
  if (rng.chance(0.4)) {
    cluster.link.capabilities = {
        .mtu = 1500, .checksum_offload = true, .tcp_gso = true, .udp_gso = rng.chance(0.5)};
    cluster.link.coalesce = rng.chance(0.7);
    cluster.link.batch_window = 20us;
  }
  TcpConfig& client = scenario.client;
  client.timestamps = rng.chance(0.7);
  client.sack = rng.chance(0.7);
  if (rng.chance(0.3)) client.window_scale.reset();
  if (rng.chance(0.3))
    client.receive_buffer = static_cast<std::uint32_t>(rng.between(2000, 60'000));
  if (rng.chance(0.3)) client.mss = static_cast<std::uint16_t>(rng.between(100, 1440));
  if (rng.chance(0.3)) client.delayed_ack = Duration::zero();
  if (rng.chance(0.5)) {
    scenario.moves = {.when = Moves::When::kEveryPackets, .every = rng.between(1, 40)};
  } else {
    scenario.moves = {.when = Moves::When::kAtRandom,
                      .mean = Duration(static_cast<std::int64_t>(rng.between(1, 30) * 1'000'000))};
  }
  const PathOptions& fabric = cluster.fabric_path;
  if (fabric.loss + fabric.duplicate + fabric.corrupt + fabric.reorder > 0 ||
      fabric.jitter > Duration::zero()) {
    scenario.disturb = [](SimCluster&, SimClient&) {};  // the path is not clean
  }
  return scenario;
}

// ---- the same, with a node that fails, and messages that do not come as they were sent ----

// At a random moment, or when a random stage is reached.
void strike_somebody(SimCluster& cluster, bool one_node_serves, SimRng& rng) {
  const auto machine = [&]() -> SimMachine& {
    return *cluster.machines()[rng.below(cluster.machines().size())];
  };
  SimMachine& victim = machine();
  auto fault = static_cast<Fault>(rng.below(static_cast<std::uint64_t>(Fault::kPartition) + 1));
  // Without a forwarder, a classifier, or the only node that has a file, nobody is served.
  const bool needed = !victim.options().self.roles.host || victim.options().self.roles.forwarder;
  if ((needed || one_node_serves) && is_final(fault)) fault = Fault::kCrashAndRestart;
  const Moment moment = rng.chance(0.5) ? Moment::kAtOnce : Moment::kJustAfter;
  if (rng.chance(0.3)) {
    cluster.world().schedule(
        cluster.world().now() + Duration(static_cast<std::int64_t>(rng.below(300'000'000))),
        [&cluster, &victim, fault, moment] { apply(cluster, victim, fault, moment); });
    return;
  }
  const auto stage = static_cast<Stage>(rng.below(kStageCount));
  cluster.on_message([&cluster, &victim, fault, moment, stage, left = rng.between(1, 6)](
                         SimMachine&, const Message& message) mutable {
    const auto* reached = std::get_if<MigrationStageReached>(&message);
    if (left == 0 || reached == nullptr || reached->stage != stage || --left > 0) return;
    if (victim.running()) apply(cluster, victim, fault, moment);
  });
}

void shake_messages(SimCluster& cluster, SimRng& rng) {
  const double often = rng.chance(0.5) ? 0.02 : 0.2;
  auto own = std::make_shared<SimRng>(rng.next());
  cluster.decide_sending([own, often](SimMachine&, ChannelMessage&) -> std::vector<Duration> {
    if (!own->chance(often)) return {0ms};
    const auto later = Duration(static_cast<std::int64_t>(own->below(50'000'000)));
    return own->chance(0.5) ? std::vector<Duration>{later} : std::vector<Duration>{0ms, later};
  });
}

Scenario random_trouble(std::uint64_t seed) {
  Scenario scenario = random_scenario(seed);
  SimRng rng = SimRng::split(seed, 78);
  scenario.cluster.hosts = 3;
  scenario.cluster.placement_timeout = 60s;  // longer than anybody is away
  scenario.cluster.classifier_apart = rng.chance(0.5);
  scenario.cluster.migration_prepare = rng.chance(0.5);
  if (rng.chance(0.3)) scenario.cluster.clock_error_ppm = 20'000;
  if (rng.chance(0.2)) scenario.cluster.on = ServiceOptions::On::kSyn;
  scenario.timestamps_late = 24s;  // two that stop for long
  scenario.disturb = [rng, http = scenario.port == kHttpPort](SimCluster& cluster, SimClient&) {
    SimRng mine = rng;
    if (mine.chance(0.7)) strike_somebody(cluster, http, mine);
    if (mine.chance(0.3)) strike_somebody(cluster, http, mine);
    if (mine.chance(0.6)) shake_messages(cluster, mine);
  };
  return scenario;
}

void run_trouble(std::uint64_t seed) {
  const Scenario scenario = random_trouble(seed);
  const Outcome outcome = run(scenario, true);
  EXPECT_TRUE(outcome.violations.empty()) << scenario.name << "\n" << outcome.report();
  if (outcome.died) return;
  EXPECT_TRUE(outcome.finished && outcome.wrong.empty()) << scenario.name << "\n"
                                                         << outcome.report();
}

void run_strike(std::uint64_t seed) {
  SimRng rng = SimRng::split(seed, 79);
  const bool placement = rng.chance(0.3);
  const auto all = placement ? placements() : traffics();
  const Traffic& traffic = all[rng.below(all.size())];
  const Party party = kParties[rng.below(placement ? 3 : 4)];
  const auto choice = strikes(traffic, party, placement);
  const Strike& strike = choice[rng.below(choice.size())];
  const StrikeResult result = run(traffic, strike, seed);
  for (const std::string& complaint : result.complaints) {
    ADD_FAILURE() << traffic.name << " " << to_string(party) << " " << strike.name() << ": "
                  << complaint << "\n  " << result.report;
  }
}

void run_message_strike(std::uint64_t seed) {
  SimRng rng = SimRng::split(seed, 80);
  const MessageStrike strike{static_cast<wire::Kind>(rng.between(1, kKinds)),
                             kMessageFaults[rng.below(kMessageFaults.size())],
                             static_cast<int>(rng.between(1, 5)), rng.chance(0.5)};
  for (const std::string& complaint : run(strike, seed).complaints)
    ADD_FAILURE() << strike.name() << ": " << complaint;
}

// What seed `seed` is of all this.
void run_seed(std::uint64_t seed) {
  switch (SimRng::split(seed, 76).below(10)) {
    case 0:
    case 1:
    case 2:
      return static_cast<void>(expect_unseen(random_scenario(seed)));
    case 3:
    case 4:
      return run_strike(seed);
    case 5:
      return run_message_strike(seed);
    default:
      return run_trouble(seed);
  }
}

int failures_so_far() {
  return ::testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
}

constexpr std::uint64_t kShares = 4;

// For N seconds in all, when so many shards run at a time.
void run_fresh_seeds(std::uint64_t share, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto shards = std::min(kShares, from_environment("GTEST_TOTAL_SHARDS", 1));
  const std::chrono::duration<double> mine(seconds * static_cast<double>(shards) / kShares);
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(mine);
  int passed = 0, failed = 0;
  auto seed = static_cast<std::uint64_t>(std::time(nullptr)) * 1'000'000 + share;
  for (; Clock::now() < end; seed += kShares) {
    const int before = failures_so_far();
    SCOPED_TRACE(replay_command(seed));
    run_seed(seed);
    ++(failures_so_far() == before ? passed : failed);
  }
  // scripts/test counts them one by one.
  ::testing::Test::RecordProperty("seeds_passed", passed);
  ::testing::Test::RecordProperty("seeds_failed", failed);
  std::printf("fresh seeds: %d passed, %d failed\n", passed, failed);
}

class Random : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(Random, EverySeedIsSound) {
  const char* seconds = std::getenv("MIGD_SIM_SECONDS");
  if (seconds != nullptr && std::getenv("MIGD_SIM_SEED") == nullptr) {
    return run_fresh_seeds(GetParam(), std::atof(seconds));
  }
  for_each_seed(120, run_seed, {GetParam(), kShares});
}

INSTANTIATE_TEST_SUITE_P(Share, Random, ::testing::Range(std::uint64_t{0}, kShares));

}  // namespace
}  // namespace migd::sim
