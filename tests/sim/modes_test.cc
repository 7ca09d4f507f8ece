// The modes of a move: drain waits for the client, hold keeps it waiting.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/scenario.h"
#include "tests/sim/seeds.h"
#include "tests/sim/segment.h"

namespace migd::sim {
namespace {

// What the client is told while it is held.
class WindowWatch : public NetObserver {
 public:
  WindowWatch(const SimLoop& world, const SimClient& client)
      : world_(world), peer_(client.tcp().config().local) {}

  void on_crossing(const Crossing& crossing) override {
    if (crossing.tcp == nullptr || crossing.point != Crossing::Point::kDelivered) return;
    const Segment& s = *crossing.tcp;
    if (s.dst != peer_ || s.has(Segment::kSyn)) return;
    told_.push_back({world_.now(), s.window, s.payload.size(), s.has(Segment::kRst)});
  }

  struct Told {
    Instant at;
    std::uint16_t window = 0;
    std::size_t payload = 0;
    bool reset = false;
  };
  std::vector<Told> between(Instant from, Instant to) const {
    std::vector<Told> found;
    std::copy_if(told_.begin(), told_.end(), std::back_inserter(found),
                 [&](const Told& t) { return t.at >= from && t.at < to; });
    return found;
  }

 private:
  const SimLoop& world_;
  const Endpoint peer_;
  std::vector<Told> told_;
};

// The plain run, and the one in which `disturb` asks for a move: both sound, with equal streams.
Outcome expect_like(const Scenario& plain, const Scenario& disturbed) {
  const Outcome still = run(plain, false);
  EXPECT_TRUE(still.finished && still.wrong.empty() && still.violations.empty()) << still.report();
  Outcome moved = run(disturbed, true);
  EXPECT_TRUE(moved.finished && moved.wrong.empty() && moved.violations.empty())
      << disturbed.name << "\n"
      << moved.report();
  EXPECT_TRUE(moved.written == still.written);
  if (plain.same_streams) {
    EXPECT_TRUE(moved.received == still.received) << disturbed.name << ": streams differ";
  }
  return moved;
}

// ---- hold ----

struct Held {
  std::optional<MigrateReport> report;
  Duration took{};
  std::vector<WindowWatch::Told> told;  // while the target could not be reached
  std::unique_ptr<WindowWatch> watch;
};

// The target cannot be reached for `outage`, which begins when the move is asked for.
Scenario held(Scenario scenario, Duration outage, Duration patience, Held& held) {
  scenario.name += "_held";
  scenario.limit = outage + 300s;
  scenario.disturb = [=, &held](SimCluster& cluster, SimClient& client) {
    SimLoop& world = cluster.world();
    held.watch = std::make_unique<WindowWatch>(world, client);
    cluster.net().observe(held.watch.get());
    world.schedule(world.now() + 30ms, [=, &cluster, &client, &world, &held] {
      const auto id = cluster.connection_of(client);
      SimMachine* const owner = id ? cluster.owner_of(*id) : nullptr;
      ASSERT_NE(owner, nullptr);
      SimMachine* const target =
          owner == cluster.hosts()[0] ? cluster.hosts()[1] : cluster.hosts()[0];
      cluster.partition(*owner, *target, true);
      const Instant asked = world.now();
      owner->node().migrate(id->to_string(), target->name(), {patience, MigrationMode::kHold},
                            [=, &held, &world](const MigrateReport& report) {
                              held.report = report;
                              held.took = world.now() - asked;
                            });
      world.schedule(asked + outage, [=, &cluster, &held] {
        held.told = held.watch->between(asked + 5s, asked + outage);
        cluster.partition(*owner, *target, false);
      });
    });
  };
  return scenario;
}

// The client sends much more than the window takes.
TEST(Hold, TenMinutesOfAClosedWindow) {
  for_each_seed(2, [](std::uint64_t seed) {
    for (Scenario plain : {discard(2'000'000), echo_bulk(1'500'000), upload(1'000'000)}) {
      for (const bool prepare : {true, false}) {
        Held result;
        plain.cluster.seed = seed;
        plain.cluster.migration_prepare = prepare;
        const Outcome moved = expect_like(plain, held(plain, 10min, 11min, result));
        ASSERT_TRUE(result.report) << moved.report();
        EXPECT_FALSE(result.report->error) << result.report->reason;
        EXPECT_GE(result.took, 10min);
        EXPECT_LT(result.took, 10min + 5s) << "as soon as the target is back";
        EXPECT_GE(result.told.size(), 8u) << "answers to probes of the window";
        for (const auto& told : result.told) {
          ASSERT_FALSE(told.reset);
          ASSERT_EQ(told.payload, 0u);
          ASSERT_EQ(told.window, 0u) << moved.report();
        }
        if (::testing::Test::HasFailure()) return;
      }
    }
  });
}

// Little data, which the window has room for: it is acknowledged, and answered after the move.
TEST(Hold, WhatFitsTheWindowIsTaken) {
  Held result;
  Scenario scenario = echo(1, 1000);
  scenario.script = [](SimClient& client) {
    for (int i = 0; i < 9; ++i)
      client.send_ramp(1000).sleep(1min);
    client.await_bytes(9000).shutdown_write().await_end();
  };
  scenario.verify = {};
  scenario.limit = 700s;
  const Outcome moved = expect_like(scenario, held(scenario, 10min, 11min, result));
  ASSERT_TRUE(result.report && !result.report->error) << moved.report();
  EXPECT_EQ(moved.received, ramp(0, 9000));
  EXPECT_GE(result.told.size(), 8u) << "acknowledgements";
  for (const auto& told : result.told)
    EXPECT_EQ(told.payload, 0u);
}

// It ends while it is held.
TEST(Hold, AClientThatEndsIsHeard) {
  Held result;
  Scenario scenario = held(discard(2'000'000), 5min, 10min, result);
  scenario.script = [](SimClient& client) { client.send_ramp(100).sleep(1min).abort(); };
  scenario.verify = {};
  const Outcome moved = run(scenario, true);
  EXPECT_TRUE(moved.violations.empty()) << moved.report();
  ASSERT_TRUE(result.report);
  EXPECT_EQ(result.report->reason, "no such connection here");
  EXPECT_LT(result.took, 1min + 2s);
}

TEST(Hold, APatienceThatEndsLeavesItWhereItIs) {
  Held result;
  const Scenario plain = echo_bulk(1'500'000);
  const Outcome stayed = expect_like(plain, held(plain, 3min, 1min, result));
  ASSERT_TRUE(result.report) << stayed.report();
  EXPECT_EQ(result.report->error, ErrorCode::kDeadline);
  EXPECT_GE(result.took, 59s);  // by the node's clock
  EXPECT_LT(result.took, 1min + 2s);
}

// The state is on its way when the target is lost: the connection thaws, and is held again.
TEST(Hold, AMoveThatFailsBeforeTheGrantIsHeldAgain) {
  Scenario plain = discard(2'000'000);
  plain.cluster.migration_prepare = false;
  Scenario scenario = plain;
  std::optional<MigrateReport> report;
  scenario.disturb = [&report](SimCluster& cluster, SimClient& client) {
    SimLoop& world = cluster.world();
    auto lost = std::make_shared<bool>(false);
    cluster.on_message([=, &cluster, &world](SimMachine& machine, const Message& message) {
      const auto* reached = std::get_if<MigrationStageReached>(&message);
      if (reached == nullptr || reached->stage != Stage::kFrozen || *lost) return;
      if (!machine.options().self.roles.host) return;
      *lost = true;
      for (SimMachine* host : cluster.hosts()) {
        if (host == &machine) continue;
        cluster.net().isolate(host->port(), true);
        world.schedule(world.now() + 2min,
                       [=, &cluster] { cluster.net().isolate(host->port(), false); });
      }
    });
    world.schedule(world.now() + 30ms, [&cluster, &client, &report] {
      const auto id = cluster.connection_of(client);
      SimMachine* const owner = cluster.owner_of(*id);
      SimMachine* const target =
          owner == cluster.hosts()[0] ? cluster.hosts()[1] : cluster.hosts()[0];
      owner->node().migrate(id->to_string(), target->name(), {5min, MigrationMode::kHold},
                            [&report](const MigrateReport& r) { report = r; });
    });
  };
  const Outcome moved = expect_like(plain, scenario);
  ASSERT_TRUE(report) << moved.report();
  EXPECT_FALSE(report->error) << report->reason;
  EXPECT_EQ(report->epoch, Epoch{5}) << "placed, sent in vain, thawed, moved";
}

// ---- drain ----

Scenario drained(Scenario scenario, Duration patience, std::optional<MigrateReport>& report) {
  scenario.disturb = [=, &report](SimCluster& cluster, SimClient& client) {
    cluster.world().schedule(cluster.world().now() + 60ms, [=, &cluster, &client, &report] {
      const auto id = cluster.connection_of(client);
      SimMachine* const owner = cluster.owner_of(*id);
      SimMachine* const target =
          owner == cluster.hosts()[0] ? cluster.hosts()[1] : cluster.hosts()[0];
      owner->node().migrate(id->to_string(), target->name(), {patience, MigrationMode::kDrain},
                            [&report](const MigrateReport& r) { report = r; });
    });
  };
  return scenario;
}

TEST(DrainFirst, NothingUnacknowledgedTravels) {
  for_each_seed(3, [](std::uint64_t seed) {
    std::optional<MigrateReport> report;
    Scenario plain = source(3'000'000);
    plain.cluster.seed = seed;
    plain.cluster.client_path.delay = 5ms;
    plain.cluster.migration_prepare = seed % 2 != 0;
    const Outcome moved = expect_like(plain, drained(plain, 5s, report));
    ASSERT_TRUE(report) << moved.report();
    EXPECT_FALSE(report->error) << report->reason;
    EXPECT_LT(report->blob_bytes, 2000u);
  });
}

TEST(DrainFirst, AClientThatReadsNothingKeepsItThere) {
  std::optional<MigrateReport> report;
  Scenario scenario = source(0);
  scenario.script = [](SimClient& client) {
    client.stop_reading().sleep(20s).start_reading().await_bytes(600'000).shutdown_write();
    client.await_end();
  };
  const Outcome stayed = expect_like(scenario, drained(scenario, 3s, report));
  ASSERT_TRUE(report) << stayed.report();
  EXPECT_EQ(report->error, ErrorCode::kDeadline);
}

}  // namespace
}  // namespace migd::sim
