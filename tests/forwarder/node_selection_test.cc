#include "forwarder/node_selection.h"

#include <gtest/gtest.h>

#include "tests/forwarder/test_nodes.h"

namespace migd {
namespace {

constexpr NodeId kA{1}, kB{2}, kC{3};

struct NodeSelectionTest : ::testing::Test {
  MessageBus bus;
  NodeHealth health{test::node_info(1), {test::node_info(2), test::node_info(3)}, bus};
  RoundRobin round_robin;
  Pool pool{"web", {kA, kB, kC}, {}};

  void tell(Message message) {
    bus.post(std::move(message));
    bus.dispatch();
  }
  std::optional<NodeId> next(const std::vector<NodeId>& except = {}) {
    return round_robin.select(pool, health, except);
  }
};

TEST_F(NodeSelectionTest, HealthFollowsTheBus) {
  EXPECT_TRUE(health.ready(kA)) << "this node";
  EXPECT_FALSE(health.up(kB));
  tell(PeerUp{kB, Boot{1}});
  EXPECT_TRUE(health.ready(kB));
  tell(PeerLoadReported{kB, {.connections = 7, .draining = true}});
  EXPECT_TRUE(health.up(kB));
  EXPECT_FALSE(health.ready(kB));
  EXPECT_EQ(health.load(kB).connections, 7u);
  tell(PeerDown{kB, "gone"});
  EXPECT_FALSE(health.up(kB));
  EXPECT_EQ(health.load(kB), PeerLoad{});
  tell(PeerUp{NodeId{99}, Boot{1}});
  EXPECT_FALSE(health.up(NodeId{99})) << "not of this cluster";
  health.set_own_load({.draining = true});
  EXPECT_FALSE(health.ready(kA));
}

TEST_F(NodeSelectionTest, InTurn) {
  tell(PeerUp{kB, Boot{1}});
  tell(PeerUp{kC, Boot{1}});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(next(), kA);
    EXPECT_EQ(next(), kB);
    EXPECT_EQ(next(), kC);
  }
}

TEST_F(NodeSelectionTest, PassesOverNodesThatAreNotReady) {
  tell(PeerUp{kB, Boot{1}});
  tell(PeerUp{kC, Boot{1}});
  tell(PeerLoadReported{kB, {.draining = true}});
  EXPECT_EQ(next(), kA);
  EXPECT_EQ(next(), kC);
  EXPECT_EQ(next(), kA);
  tell(PeerDown{kC, "gone"});
  EXPECT_EQ(next(), kA);
}

TEST_F(NodeSelectionTest, ExceptThoseThatWereTried) {
  tell(PeerUp{kB, Boot{1}});
  EXPECT_EQ(next({kA}), kB);
  EXPECT_EQ(next({kA, kB}), std::nullopt);
  EXPECT_EQ(next(), kA);
}

TEST_F(NodeSelectionTest, EmptyPoolHasNone) {
  pool.nodes.clear();
  EXPECT_EQ(next(), std::nullopt);
}

TEST_F(NodeSelectionTest, PoolsTurnOnTheirOwn) {
  tell(PeerUp{kB, Boot{1}});
  Pool other{"api", {kA, kB}, {}};
  EXPECT_EQ(next(), kA);
  EXPECT_EQ(round_robin.select(other, health, {}), kA);
  EXPECT_EQ(next(), kB);
}

// ---- by load ----

struct LeastLoadedTest : NodeSelectionTest {
  LeastLoadedTest() {
    tell(PeerUp{kB, Boot{1}});
    tell(PeerUp{kC, Boot{1}});
  }
  void report(NodeId node, std::uint32_t connections, std::uint16_t busy_permille = 0) {
    tell(PeerLoadReported{node, {.connections = connections, .busy_permille = busy_permille}});
  }
  NodeId best(const std::vector<NodeId>& except = {}) {
    return least_loaded.select(pool, health, except).value_or(NodeId{});
  }
  LeastLoaded least_loaded;
};

TEST_F(LeastLoadedTest, TheFewestConnections) {
  health.set_own_load({.connections = 9});
  report(kB, 7);
  report(kC, 5);
  EXPECT_EQ(best(), kC);
  EXPECT_EQ(best({kC}), kB);
}

TEST_F(LeastLoadedTest, CountsWhatWasGivenSinceTheReport) {
  health.set_own_load({.connections = 100});
  report(kB, 10);
  report(kC, 7);
  std::map<NodeId, int> given;
  for (int i = 0; i < 9; ++i)
    ++given[best()];
  EXPECT_EQ(given[kC], 6);
  EXPECT_EQ(given[kB], 3);
  report(kB, 13);
  report(kC, 9);  // some have ended
  EXPECT_EQ(best(), kC);
}

TEST_F(LeastLoadedTest, EqualOnesInTurn) {
  std::map<NodeId, int> given;
  for (int i = 0; i < 9; ++i)
    ++given[best()];
  EXPECT_EQ(given[kA], 3);
  EXPECT_EQ(given[kB], 3);
  EXPECT_EQ(given[kC], 3);
}

TEST_F(LeastLoadedTest, TheBusyAndTheDrainingComeLastOrNotAtAll) {
  health.set_own_load({.connections = 50});
  report(kB, 1, LeastLoaded::kBusyPermille);
  tell(PeerLoadReported{kC, {.draining = true}});
  EXPECT_EQ(best(), kA);
  EXPECT_EQ(best({kA}), kB);
  EXPECT_EQ(best({kA, kB}), NodeId{});
}

// ---- where else a connection may live ----

struct NodesBesideTest : ::testing::Test {
  NodesBesideTest() {
    service.pools = {{"all", {kA, kB, kC}}, {"api", {kB, kC}}, {"mine", {kA}}};
    service.default_target = PoolTarget{"all"};
    service.default_application = "files";
  }
  void rule(RuleTarget target, std::string application) {
    service.rules.push_back({"", {}, std::move(target), std::move(application)});
  }
  using Nodes = std::vector<NodeId>;
  ServiceOptions service;
};

TEST_F(NodesBesideTest, TheOthersOfItsPool) {
  EXPECT_EQ(nodes_beside(service, "files", kA), (Nodes{kB, kC}));
  EXPECT_EQ(nodes_beside(service, "files", kC), (Nodes{kA, kB}));
  EXPECT_EQ(nodes_beside(service, "echo", kA), Nodes{}) << "no rule names it";
}

TEST_F(NodesBesideTest, RulesThatLeadHereCountBeforeOthers) {
  rule(PoolTarget{"api"}, "api");
  rule(NodeTarget{kA}, "api");
  EXPECT_EQ(nodes_beside(service, "api", kB), Nodes{kC}) << "not A: that is another rule's";
  EXPECT_EQ(nodes_beside(service, "api", kA), Nodes{});
  EXPECT_EQ(nodes_beside(service, "api", NodeId{9}), (Nodes{kB, kC, kA})) << "an operator's doing";
}

TEST_F(NodesBesideTest, SeveralRulesAddUp) {
  rule(NodeTarget{kA}, "files");
  rule(PoolTarget{"mine"}, "files");
  EXPECT_EQ(nodes_beside(service, "files", kA), (Nodes{kB, kC}));
}

TEST_F(NodesBesideTest, WithoutAnApplicationAllRulesCount) {
  rule(PoolTarget{"api"}, "api");
  EXPECT_EQ(nodes_beside(service, "", kB), (Nodes{kC, kA}));
  rule(PoolTarget{"unknown"}, "files");
  EXPECT_EQ(nodes_beside(service, "files", kB), (Nodes{kA, kC}));
}

}  // namespace
}  // namespace migd
