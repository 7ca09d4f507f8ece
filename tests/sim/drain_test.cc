// Nodes that are given up: what is draining is chosen for nothing new, and gives away what it has.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/scenario.h"
#include "tests/sim/seeds.h"

namespace migd::sim {
namespace {

// `n` echo clients that have sent one message and stay.
std::vector<SimClient*> add_idle_clients(SimCluster& cluster, int n) {
  std::vector<SimClient*> clients;
  for (int i = 0; i < n; ++i) {
    SimClient& client = cluster.add_client(kEchoPort);
    client.send_ramp(100).await_bytes(100).sleep(1h);
    client.start();
    clients.push_back(&client);
  }
  return clients;
}

std::size_t owned_by(SimCluster& cluster, SimMachine& machine,
                     const std::vector<SimClient*>& clients) {
  std::size_t n = 0;
  for (const SimClient* client : clients) {
    const auto id = cluster.connection_of(*client);
    if (id && cluster.owner_of(*id) == &machine) ++n;
  }
  return n;
}

ClusterOptions with_hosts(int n) {
  ClusterOptions options;
  options.hosts = n;
  return options;
}

TEST(Draining, NothingNewComesToTheNode) {
  SimCluster cluster({});
  cluster.start();
  SimMachine& h1 = cluster.machine("h1");
  SimMachine& h2 = cluster.machine("h2");
  const auto before = add_idle_clients(cluster, 4);
  cluster.world().run_for(1s);
  ASSERT_EQ(owned_by(cluster, h1, before), 2u);
  ASSERT_EQ(owned_by(cluster, h2, before), 2u);

  h1.node().set_draining(true);
  EXPECT_TRUE(h1.node().status().draining);
  // Those that come before anybody has heard of it are refused, and go to the next of the pool.
  const auto at_once = add_idle_clients(cluster, 4);
  cluster.world().run_for(1s);
  const auto later = add_idle_clients(cluster, 4);
  cluster.world().run_for(1s);
  EXPECT_EQ(owned_by(cluster, h2, at_once), 4u);
  EXPECT_EQ(owned_by(cluster, h2, later), 4u);
  EXPECT_EQ(owned_by(cluster, h1, before), 2u) << "what it has goes on";
  const int refused_before = cluster.migrations().reasons.at("target_draining");
  EXPECT_GE(refused_before, 1) << "the first of `at_once`";

  // Nor by an operator.
  std::optional<MigrateReport> report;
  for (const SimClient* client : later) {
    ASSERT_TRUE(cluster.migrate(*client, h1, [&](const MigrateReport& r) { report = r; }));
    break;
  }
  cluster.world().run_for(1s);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->reason, "target_draining");

  h1.node().set_draining(false);
  cluster.world().run_for(1s);
  const auto afterwards = add_idle_clients(cluster, 4);
  cluster.world().run_for(1s);
  EXPECT_EQ(owned_by(cluster, h1, afterwards), 2u);
  cluster.judge().at_end(cluster.world().now());
  EXPECT_TRUE(cluster.judge().violations().empty());
}

// ---- the command ----

DrainReport drain(SimCluster& cluster, SimMachine& machine, const DrainWish& wish, Duration most) {
  EXPECT_TRUE(machine.node().start_drain(wish));
  const auto over = [&] { return machine.node().drain_report().state != DrainState::kRunning; };
  cluster.world().run_until(over, cluster.world().now() + most);
  return machine.node().drain_report();
}

std::string text_of(const DrainReport& report) {
  std::string text =
      fmt::format("{}: {} moved, {} left, {} under way after {} ms", to_string(report.state),
                  report.moved, report.left, report.under_way, to_milliseconds(report.took));
  for (const auto& [name, count] : report.blocked)
    text += fmt::format("; {} {}", name, count);
  for (const auto& [name, count] : report.refused)
    text += fmt::format("; refused {} {}", name, count);
  return text;
}

TEST(DrainCommand, MovesEverythingToTheOthersInTurn) {
  SimCluster cluster(with_hosts(3));
  cluster.start();
  SimMachine& h1 = cluster.machine("h1");
  const auto clients = add_idle_clients(cluster, 210);
  cluster.world().run_for(2s);
  ASSERT_EQ(owned_by(cluster, h1, clients), 70u);
  const DrainReport report = drain(cluster, h1, {{}, 0, 60s}, 60s);
  EXPECT_EQ(report.state, DrainState::kDone) << text_of(report);
  EXPECT_EQ(report.moved, 70u);
  EXPECT_EQ(report.left, 0u);
  EXPECT_TRUE(report.refused.empty()) << text_of(report);
  EXPECT_LT(report.took, 100ms);
  EXPECT_EQ(owned_by(cluster, cluster.machine("h2"), clients), 105u);
  EXPECT_EQ(owned_by(cluster, cluster.machine("h3"), clients), 105u);
  cluster.judge().at_end(cluster.world().now());
  EXPECT_TRUE(cluster.judge().violations().empty());
}

// A packet for each that says that no older one comes is left out where none can come.
TEST(DrainCommand, QuietConnectionsMoveWithoutOrderMarks) {
  SimCluster cluster(with_hosts(2));
  cluster.start();
  SimMachine& h1 = cluster.machine("h1");
  SimMachine& h2 = cluster.machine("h2");
  const auto passed_on = [](SimMachine& machine) {
    return machine.node().metrics().counter("migd_stragglers_sent_total").value;
  };
  const auto clients = add_idle_clients(cluster, 20);
  cluster.world().run_for(2s);
  EXPECT_EQ(passed_on(cluster.machine("f1")), 0u) << "the forwarder itself has handed them over";
  const std::uint64_t before = passed_on(h1);
  EXPECT_EQ(drain(cluster, h1, {{"h2"}, 0, 60s}, 60s).moved, 10u);
  EXPECT_EQ(passed_on(h1), before);
  h1.node().stop_drain();
  cluster.world().run_for(100ms);  // so that h2 hears of it
  // Their mappings were made a moment ago, and whether a packet was sent before is not known.
  const DrainReport back = drain(cluster, h2, {{"h1"}, 0, 60s}, 60s);
  EXPECT_EQ(back.moved, 20u) << text_of(back);
  EXPECT_EQ(passed_on(h2), 10u);
  cluster.judge().at_end(cluster.world().now());
  EXPECT_TRUE(cluster.judge().violations().empty());
}

TEST(DrainCommand, GoesToTheNodesThatAreNamedAsFastAsTheRateSays) {
  SimCluster cluster(with_hosts(3));
  cluster.start();
  SimMachine& h1 = cluster.machine("h1");
  const auto clients = add_idle_clients(cluster, 60);
  cluster.world().run_for(2s);
  const std::size_t had = owned_by(cluster, cluster.machine("h3"), clients);
  EXPECT_EQ(h1.node().start_drain({{"nobody"}, 0, 60s}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(h1.node().start_drain({{"h1"}, 0, 60s}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(h1.node().status().draining);
  const DrainReport report = drain(cluster, h1, {{"h3"}, 10, 60s}, 60s);
  EXPECT_EQ(report.state, DrainState::kDone) << text_of(report);
  EXPECT_GE(report.took, 1900ms);
  EXPECT_LT(report.took, 2100ms);
  EXPECT_EQ(owned_by(cluster, cluster.machine("h3"), clients), had + 20);
}

TEST(DrainCommand, OnlySoManyAreUnderWayToOneTarget) {
  ClusterOptions options;
  options.fabric_path.delay = 50ms;
  SimCluster cluster(options);
  cluster.start();
  const auto clients = add_idle_clients(cluster, 400);
  cluster.world().run_for(3s);
  SimMachine& h1 = cluster.machine("h1");
  std::uint32_t most = 0;
  cluster.on_message([&](SimMachine&, const Message&) {
    most = std::max(most, h1.node().drain_report().under_way);
  });
  const DrainReport report = drain(cluster, h1, {{}, 0, 60s}, 60s);
  EXPECT_EQ(report.state, DrainState::kDone) << text_of(report);
  EXPECT_EQ(most, Drain::kMovesUnderWay);
}

class Busy : public ConnectionHandler {
 public:
  void on_readable(Connection&) override {}
  void on_writable(Connection&) override {}
  void on_peer_closed(Connection&) override {}
  void on_closed(Connection&, CloseReason) override {}
  Blockers blockers() const override { return found; }
  Blockers found = Blocker::kAppBusy;
};

TEST(DrainCommand, WhatIsBlockedIsTriedAgainUntilTheTimeIsOver) {
  SimCluster cluster({});
  cluster.start();
  SimMachine& h1 = cluster.machine("h1");
  const auto clients = add_idle_clients(cluster, 20);
  cluster.world().run_for(1s);
  Busy first, second;
  Busy* next = &first;
  h1.node().stack().for_each([&](Connection& c) {
    if (next != nullptr) c.bind("echo", next);
    next = next == &first ? &second : nullptr;
  });
  cluster.world().schedule(cluster.world().now() + 3s, [&] { first.found = {}; });
  DrainReport report = drain(cluster, h1, {{}, 0, 5s}, 4900ms);
  EXPECT_EQ(report.state, DrainState::kRunning);
  EXPECT_EQ(report.moved, 9u) << text_of(report);
  EXPECT_EQ(report.blocked["app_busy"], 1u) << text_of(report);
  cluster.world().run_for(200ms);
  report = h1.node().drain_report();
  EXPECT_EQ(report.state, DrainState::kDeadline);
  EXPECT_EQ(report.left, 1u);
  EXPECT_TRUE(h1.node().status().draining) << "until it is stopped";
  h1.node().stop_drain();
  EXPECT_FALSE(h1.node().status().draining);
  EXPECT_EQ(h1.node().drain_report().state, DrainState::kDeadline);
  second.found = {};
}

// The other node refuses for a while, and is down for a while.
TEST(DrainCommand, WaitsForTargets) {
  SimCluster cluster({});
  cluster.start();
  SimMachine& h1 = cluster.machine("h1");
  SimMachine& h2 = cluster.machine("h2");
  const auto clients = add_idle_clients(cluster, 20);
  cluster.world().run_for(1s);
  h2.node().set_draining(true);
  cluster.world().schedule(cluster.world().now() + 3s, [&] { h2.node().set_draining(false); });
  DrainReport report = drain(cluster, h1, {{}, 0, 60s}, 60s);
  EXPECT_EQ(report.state, DrainState::kDone) << text_of(report);
  EXPECT_GE(report.refused["target_draining"], 1u) << "before it was heard of";
  EXPECT_GE(report.took, 3s);
  EXPECT_LT(report.took, 6s);
  h1.node().stop_drain();
  cluster.world().run_for(1s);

  cluster.crash(h1);
  cluster.world().run_for(10s);
  cluster.world().schedule(cluster.world().now() + 5s, [&] { h1.start(); });
  report = drain(cluster, h2, {{}, 0, 60s}, 60s);
  EXPECT_EQ(report.state, DrainState::kDone) << text_of(report);
  EXPECT_EQ(owned_by(cluster, h1, clients), 20u);
}

TEST(DrainCommand, WhatHasNowhereToGoIsLeft) {
  SimCluster cluster(with_hosts(1));
  cluster.start();
  const auto clients = add_idle_clients(cluster, 3);
  cluster.world().run_for(1s);
  const DrainReport report = drain(cluster, cluster.machine("h1"), {{}, 0, 60s}, 60s);
  EXPECT_EQ(report.state, DrainState::kLeft) << text_of(report);
  EXPECT_EQ(report.left, 3u);
  EXPECT_LT(report.took, 1s);
}

TEST(DrainCommand, NothingToDoIsDoneAtOnce) {
  SimCluster cluster({});
  cluster.start();
  EXPECT_EQ(cluster.machine("h1").node().drain_report().state, DrainState::kNone);
  EXPECT_EQ(drain(cluster, cluster.machine("h1"), {{}, 0, 60s}, 1s).state, DrainState::kDone);
}

TEST(DrainCommand, StoppedItMovesNothingMore) {
  SimCluster cluster({});
  cluster.start();
  SimMachine& h1 = cluster.machine("h1");
  const auto clients = add_idle_clients(cluster, 40);
  cluster.world().run_for(1s);
  DrainReport report = drain(cluster, h1, {{}, 5, 60s}, 1s);
  EXPECT_EQ(report.state, DrainState::kRunning);
  h1.node().stop_drain();
  cluster.world().run_for(5s);
  report = h1.node().drain_report();
  EXPECT_EQ(report.state, DrainState::kStopped);
  EXPECT_GE(report.moved, 4u);
  EXPECT_LE(report.moved, 7u);
  EXPECT_EQ(report.left, 20u - report.moved);
}

// Downloads, uploads and echoes while their nodes are drained one after the other.
TEST(DrainCommand, NoClientNotices) {
  for_each_seed(2, [](std::uint64_t seed) {
    for (Scenario plain : {source(2'000'000), echo_bulk(2'000'000), upload(2'000'000)}) {
      plain.cluster.seed = seed;
      plain.cluster.client_path.bytes_per_second = 2'000'000;
      Scenario scenario = plain;
      scenario.disturb = [](SimCluster& cluster, SimClient&) {
        for (int i = 0; i < 4; ++i) {
          cluster.world().schedule(cluster.world().now() + 20ms + i * 250ms, [&cluster, i] {
            SimMachine& from = *cluster.hosts()[static_cast<std::size_t>(i % 2)];
            SimMachine& to = *cluster.hosts()[static_cast<std::size_t>((i + 1) % 2)];
            to.node().stop_drain();
            ASSERT_TRUE(from.node().start_drain({{}, 0, 30s}));
          });
        }
      };
      const Outcome still = run(plain, false), moved = run(scenario, true);
      EXPECT_TRUE(moved.finished && moved.wrong.empty() && moved.violations.empty())
          << moved.report();
      EXPECT_TRUE(!plain.same_streams || moved.received == still.received);
      EXPECT_GE(moved.migrations.completed, 3) << moved.report();
    }
  });
}

}  // namespace
}  // namespace migd::sim
