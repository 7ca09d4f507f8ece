// Nodes that are given up: what is draining is chosen for nothing new.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/sim/cluster.h"

namespace migd::sim {
namespace {

// `n` echo clients that have sent one message and stay.
std::vector<SimClient*> add_idle_clients(SimCluster& cluster, int n) {
  std::vector<SimClient*> clients;
  for (int i = 0; i < n; ++i) {
    SimClient& client = cluster.add_client(kEchoPort);
    client.send_ramp(100).expect_ramp(100).wait(1h);
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

}  // namespace
}  // namespace migd::sim
