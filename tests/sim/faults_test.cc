// Invariant 4: whatever happens to the target before GRANT, the connection goes on at the source,
// and what happens to it for a while after GRANT does no harm either.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "tests/sim/faults.h"
#include "tests/sim/scenario.h"
#include "tests/sim/seeds.h"

namespace migd::sim {
namespace {

// Strikes the target of the `nth` move between hosts when `stage` is reached.
class Striker {
 public:
  Striker(SimCluster& cluster, Stage stage, Fault fault, int nth)
      : cluster_(cluster), stage_(stage), fault_(fault), left_(nth) {}

  void operator()(SimMachine& machine, const Message& message) {
    const auto* reached = std::get_if<MigrationStageReached>(&message);
    if (reached == nullptr || struck_) return;
    if (reached->stage == Stage::kRequested) {
      source_ = machine.options().self.roles.host ? &machine : nullptr;
      if (source_ != nullptr) --left_;
    }
    if (source_ == nullptr || left_ > 0 || reached->stage != stage_) return;
    struck_ = true;
    for (SimMachine* host : cluster_.hosts()) {
      if (host != source_) apply(cluster_, *host, fault_);
    }
  }
  bool struck() const { return struck_; }

 private:
  SimCluster& cluster_;
  Stage stage_;
  Fault fault_;
  int left_;
  SimMachine* source_ = nullptr;
  bool struck_ = false;
};

// Unprepared, every migration passes each of the stages; prepared, only a target that has not
// promised yet is surely struck before GRANT.
using StageAndFault = std::tuple<bool, Stage, Fault>;
class BeforeGrant : public ::testing::TestWithParam<StageAndFault> {};

TEST_P(BeforeGrant, GoesOnAtTheSource) {
  const auto [prepare, stage, fault] = GetParam();
  for_each_seed(1, [&, prepare = prepare, stage = stage, fault = fault](std::uint64_t seed) {
    for (Scenario scenario : {download(3), echo(400, 900)}) {
      scenario.cluster.seed = seed;
      scenario.cluster.migration_prepare = prepare;
      scenario.moves = {.when = Moves::When::kAtRandom, .mean = 5ms};
      auto struck = std::make_shared<bool>(false);
      scenario.disturb = [=](SimCluster& cluster, SimClient&) {
        auto striker = std::make_shared<Striker>(cluster, stage, fault, 2);
        cluster.on_message([=](SimMachine& machine, const Message& message) {
          (*striker)(machine, message);
          *struck = striker->struck();
        });
      };
      const Outcome moved = expect_unseen(scenario);
      EXPECT_TRUE(*struck) << moved.report();
      EXPECT_GE(moved.migrations.completed, 2) << moved.report();
      if (fault != Fault::kStopBriefly) {
        EXPECT_GE(moved.migrations.aborted + moved.migrations.refused, 1) << moved.report();
      }
      if (::testing::Test::HasFailure()) return;
    }
  });
}

std::string name_of(const ::testing::TestParamInfo<StageAndFault>& param_info) {
  const auto& [prepare, stage, fault] = param_info.param;
  return std::string(prepare ? "prepared_" : "") + std::string(migd::to_string(stage)) + "_" +
         to_string(fault);
}

const auto kFaults = ::testing::Values(Fault::kCrash, Fault::kCrashAndRestart, Fault::kPartition,
                                       Fault::kStopThenKill, Fault::kStopBriefly);

INSTANTIATE_TEST_SUITE_P(Target, BeforeGrant,
                         ::testing::Combine(::testing::Values(false),
                                            ::testing::Values(Stage::kRequested, Stage::kFrozen,
                                                              Stage::kSent, Stage::kMapped,
                                                              Stage::kAttached),
                                            kFaults),
                         name_of);
INSTANTIATE_TEST_SUITE_P(TargetAsked, BeforeGrant,
                         ::testing::Combine(::testing::Values(true),
                                            ::testing::Values(Stage::kRequested), kFaults),
                         name_of);

// After GRANT the connection is the target's: a pause or a partition only delays it.
class AfterGrant : public ::testing::TestWithParam<std::tuple<bool, Fault>> {};

TEST_P(AfterGrant, TheTargetGoesOnWhenItCan) {
  for_each_seed(2, [](std::uint64_t seed) {
    for (Scenario scenario : {download(3), echo(400, 900)}) {
      scenario.cluster.seed = seed;
      scenario.cluster.migration_prepare = std::get<0>(GetParam());
      scenario.moves = {.when = Moves::When::kAtRandom, .mean = 5ms};
      scenario.disturb = [](SimCluster& cluster, SimClient&) {
        const Fault fault = std::get<1>(GetParam());
        auto striker = std::make_shared<Striker>(cluster, Stage::kGranted, fault, 2);
        cluster.on_message(
            [=](SimMachine& machine, const Message& message) { (*striker)(machine, message); });
      };
      expect_unseen(scenario);
      if (::testing::Test::HasFailure()) return;
    }
  });
}

std::string name_of_after(const ::testing::TestParamInfo<std::tuple<bool, Fault>>& param_info) {
  return std::string(std::get<0>(param_info.param) ? "prepared_" : "") +
         to_string(std::get<1>(param_info.param));
}

INSTANTIATE_TEST_SUITE_P(Target, AfterGrant,
                         ::testing::Combine(::testing::Values(false),
                                            ::testing::Values(Fault::kPartition,
                                                              Fault::kStopBriefly,
                                                              Fault::kStopForLong)),
                         name_of_after);
// Not for long: a state that waits before a stopped process cannot know for how long it did, so its
// timestamps are late by that, which the checker does not forgive.
INSTANTIATE_TEST_SUITE_P(GrantRides, AfterGrant,
                         ::testing::Combine(::testing::Values(true),
                                            ::testing::Values(Fault::kPartition,
                                                              Fault::kStopBriefly)),
                         name_of_after);

// ---- the way between the nodes ----

TEST(Fabric, LossReorderingAndRepetitionBetweenNodesOnlyDelay) {
  for_each_seed(4, [](std::uint64_t seed) {
    for (Scenario scenario : {download(), upload(200'000), echo(200, 900)}) {
      scenario.cluster.seed = seed;
      scenario.cluster.fabric_path = {.delay = 200us,
                                      .jitter = 50us,
                                      .loss = 0.03,
                                      .duplicate = 0.03,
                                      .corrupt = 0.02,
                                      .reorder = 0.05};
      scenario.cluster.client_path.delay = 2ms;
      scenario.moves = {.when = Moves::When::kAtRandom, .mean = 4ms};
      scenario.disturb = [](SimCluster&, SimClient&) {};  // no clean path: client packets cross it
      const Outcome moved = expect_unseen(scenario);
      EXPECT_GE(moved.migrations.completed, 3) << moved.report();
      if (::testing::Test::HasFailure()) return;
    }
  });
}

TEST(Fabric, HostsThatCannotReachEachOtherKeepTheirConnections) {
  for_each_seed(2, [](std::uint64_t seed) {
    Scenario scenario = echo(300, 700);
    scenario.cluster.seed = seed;
    scenario.moves = {.when = Moves::When::kAtRandom, .mean = 30ms};
    scenario.disturb = [](SimCluster& cluster, SimClient&) {
      SimLoop& world = cluster.world();
      for (int i = 0; i < 6; ++i) {
        world.schedule(world.now() + 250ms * (2 * i + 1), [&cluster] {
          cluster.partition(cluster.machine("h1"), cluster.machine("h2"), true);
        });
        world.schedule(world.now() + 250ms * (2 * i + 2), [&cluster] {
          cluster.partition(cluster.machine("h1"), cluster.machine("h2"), false);
        });
      }
    };
    expect_unseen(scenario);
  });
}

// ---- the forwarder: invariant 8 ----

class ForwarderDies : public ::testing::TestWithParam<bool> {
 protected:
  static ClusterOptions options(std::uint64_t seed) {
    ClusterOptions options;
    options.seed = seed;
    options.migration_prepare = GetParam();
    options.migration_timeout = 20s;
    return options;
  }

  // A client is served whose connection moves once between hosts; `strike` hears of its stages.
  static void serve(SimCluster& cluster,
                    const std::function<void(SimMachine& source, Stage stage)>& strike) {
    cluster.start();
    SimLoop& world = cluster.world();
    cluster.on_message([&strike](SimMachine& source, const Message& message) {
      const auto* reached = std::get_if<MigrationStageReached>(&message);
      if (reached != nullptr && source.options().self.roles.host) strike(source, reached->stage);
    });
    SimClient& client = cluster.add_client(kEchoPort);
    client.ping_pong(100, 900).shutdown_write().await_end();
    client.start();
    world.schedule(world.now() + 100ms, [&] { cluster.migrate_to_next(client); });
    EXPECT_TRUE(world.run_until([&] { return client.finished(); }, world.now() + 60s))
        << client.progress();
    EXPECT_FALSE(client.failed());
    cluster.judge().at_end(world.now());
    for (const Violation& violation : cluster.judge().violations()) {
      ADD_FAILURE() << violation.to_string();
    }
  }
};

// It dies with a state inside, and all comes back in the worst order: the target knows the new
// forwarder before the state has got there.
TEST_P(ForwarderDies, AndLearnsOfAConnectionThatWasOnItsWay) {
  for_each_seed(3, [&](std::uint64_t seed) {
    SimCluster cluster(options(seed));
    bool struck = false;
    serve(cluster, [&](SimMachine& source, Stage stage) {
      if (stage != Stage::kSent || std::exchange(struck, true)) return;
      apply(cluster, cluster.machine("f1"), Fault::kCrashAndRestart);
      cluster.partition(source, cluster.machine("f1"), true);  // it hears last of the new forwarder
    });
    EXPECT_TRUE(struck);
  });
}

// The same, but the source has heard the barrier of the old one: what that said is forgotten.
TEST_P(ForwarderDies, AfterItsBarrierAndBeforeItHasPassedOnTheState) {
  for_each_seed(3, [&](std::uint64_t seed) {
    SimCluster cluster(options(seed));
    bool struck = false;
    serve(cluster, [&](SimMachine& source, Stage stage) {
      SimMachine& forwarder = cluster.machine("f1");
      SimMachine& target = cluster.machine(source.name() == "h1" ? "h2" : "h1");
      if (stage == Stage::kSent) cluster.partition(forwarder, target, true);
      if (stage != Stage::kMapped || std::exchange(struck, true)) return;
      apply(cluster, forwarder, Fault::kCrashAndRestart);
      cluster.world().schedule(cluster.world().now() + 1s, [&cluster, &forwarder, &target] {
        cluster.partition(forwarder, target, false);
      });
    });
    EXPECT_TRUE(struck);
  });
}

INSTANTIATE_TEST_SUITE_P(Moves, ForwarderDies, ::testing::Bool(), [](const auto& tested) {
  return std::string(tested.param ? "prepared" : "unprepared");
});

TEST(Forwarder, IsToldOfMoreConnectionsThanALeaseHasIdentifiers) {
  ClusterOptions options;
  options.hosts = 1;
  options.family = Family::kIpv6;  // has addresses for so many clients
  SimCluster cluster(options);
  cluster.start();
  SimLoop& world = cluster.world();
  const Instant began = world.now();
  constexpr int kClients = static_cast<int>(limits::kFlowIdBlock) + 100;
  std::vector<SimClient*> clients;
  for (int i = 0; i < kClients; ++i) {
    SimClient& client = cluster.add_client(kEchoPort);
    client.ping_pong(1, 10).sleep(5s).ping_pong(1, 10);
    world.schedule(began + 500us * i, [&client] { client.start(); });
    clients.push_back(&client);
  }
  SimMachine& forwarder = cluster.machine("f1");
  world.schedule(began + 4s, [&] { cluster.crash(forwarder); });
  world.schedule(began + 4500ms, [&] { forwarder.start(); });
  const auto finished = [&] {
    return std::count_if(clients.begin(), clients.end(),
                         [](const SimClient* client) { return client->finished(); });
  };
  world.run_for(20s);
  EXPECT_EQ(finished(), kClients);
}

// It maps the flow to the new boot, and forgets then what it has mapped to the old one.
TEST(Forwarder, HearsLastThatTheTargetHasRestarted) {
  for_each_seed(5, [](std::uint64_t seed) {
    ClusterOptions options;
    options.seed = seed;
    options.hosts = 2;
    options.migration_prepare = false;
    SimCluster cluster(options);
    cluster.start();
    SimLoop& world = cluster.world();
    SimClient& client = cluster.add_client(kEchoPort);
    client.ping_pong(2000, 90).shutdown_write().await_end();
    client.start();
    world.run_for(100ms);
    SimMachine* const source = cluster.owner_of(*cluster.connection_of(client));
    ASSERT_NE(source, nullptr);
    SimMachine& target = cluster.machine(source->name() == "h1" ? "h2" : "h1");
    cluster.partition(cluster.machine("f1"), target, true);
    cluster.crash(target);
    target.start();
    world.run_for(1s);
    bool completed = false;
    ASSERT_TRUE(cluster.migrate(
        client, target, [&](const MigrateReport& report) { completed = report.reason.empty(); }));
    world.run_for(20ms);
    cluster.partition(cluster.machine("f1"), target, false);
    EXPECT_TRUE(world.run_until([&] { return completed; }, world.now() + 5s));
    EXPECT_FALSE(client.finished());
    cluster.crash(*source);  // and with it the tombstone, which would show the way
    EXPECT_TRUE(world.run_until([&] { return client.finished(); }, world.now() + 60s))
        << client.progress();
    for (const Violation& violation : cluster.judge().violations()) {
      ADD_FAILURE() << violation.to_string();
    }
  });
}

// ---- placement ----

TEST(Placement, PassesOverANodeThatIsDown) {
  for_each_seed(3, [](std::uint64_t seed) {
    ClusterOptions options;
    options.seed = seed;
    SimCluster cluster(options);
    cluster.start();
    cluster.crash(cluster.machine(seed % 2 == 0 ? "h1" : "h2"));
    cluster.world().run_for(5s);  // the others notice
    for (int i = 0; i < 3; ++i) {
      SimClient& client = cluster.add_client(kEchoPort);
      client.ping_pong(5, 500).shutdown_write().await_end();
      client.start();
      EXPECT_TRUE(
          cluster.world().run_until([&] { return client.finished(); }, cluster.world().now() + 20s))
          << client.progress();
      EXPECT_FALSE(client.failed());
    }
    cluster.judge().at_end(cluster.world().now());
    for (const Violation& violation : cluster.judge().violations()) {
      ADD_FAILURE() << violation.to_string();
    }
  });
}

TEST(Placement, WhatTheClassifierHasMovesOnlyToAnother) {
  SimCluster cluster(ClusterOptions{});
  cluster.start();
  SimClient& client = cluster.add_client(kHttpPort);
  client.send("GET /files/small HTTP/1.1\r\n").sleep(100ms);
  client.send("Host: sim\r\nConnection: close\r\n\r\n").await_responses(1).await_end();
  client.shutdown_write().start();
  cluster.world().run_for(50ms);
  std::string reason;
  EXPECT_TRUE(cluster.migrate(client, cluster.machine("h2"),
                              [&](const MigrateReport& report) { reason = report.reason; }));
  cluster.world().run_until([&] { return client.finished(); }, cluster.world().now() + 20s);
  EXPECT_EQ(reason, "no_classifier");
  EXPECT_TRUE(client.finished() && !client.failed()) << client.progress();
}

// The channel had no room for it; its session lives, so nothing else would bring it again.
TEST(Faults, AGrantThatWasNeverSentIsSaidAgain) {
  ClusterOptions options;
  options.migration_prepare = false;  // so that it does not ride with STATE
  SimCluster cluster(options);
  cluster.start();
  SimClient& client = cluster.add_client(kEchoPort);
  client.ping_pong(200, 500);
  client.start();
  cluster.world().run_for(100ms);
  int grants = 0;
  cluster.decide_sending([&grants](SimMachine&, ChannelMessage& message) -> std::vector<Duration> {
    if (message.kind != wire::Kind::kGrant || ++grants > 1) return {Duration::zero()};
    return {};
  });
  ASSERT_TRUE(cluster.migrate_to_next(client));
  cluster.world().run_for(10s);
  EXPECT_EQ(grants, 2);
  EXPECT_TRUE(client.finished() && !client.failed()) << client.progress();
  for (const Violation& violation : cluster.judge().violations())
    ADD_FAILURE() << violation.to_string();
}

}  // namespace
}  // namespace migd::sim
