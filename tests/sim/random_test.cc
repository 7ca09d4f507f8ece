// Seeds over everything: families, options, windows, offloads, paths, applications, moves. By
// default a handful; MIGD_SIM_SECONDS=N draws fresh seeds for N seconds.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "tests/sim/scenario.h"
#include "tests/sim/seeds.h"

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

TEST(Random, NobodySeesIt) {
  const char* seconds = std::getenv("MIGD_SIM_SECONDS");
  if (seconds == nullptr || std::getenv("MIGD_SIM_SEED") != nullptr) {
    return for_each_seed(40, [](std::uint64_t seed) { expect_unseen(random_scenario(seed)); });
  }
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::seconds(std::atol(seconds));
  int passed = 0, failed = 0;
  auto seed = static_cast<std::uint64_t>(std::time(nullptr)) * 1000;
  for (; Clock::now() < end; ++seed) {
    const auto* result = ::testing::UnitTest::GetInstance()->current_test_info()->result();
    const int before = result->total_part_count();
    SCOPED_TRACE(replay_command(seed));
    expect_unseen(random_scenario(seed));
    ++(result->total_part_count() == before ? passed : failed);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
}

}  // namespace
}  // namespace migd::sim
