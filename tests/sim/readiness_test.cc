// Readiness: each blocker by itself, shown for the connection, named to the asker, counted.
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "base/limits.h"
#include "tests/sim/cluster.h"

namespace migd::sim {
namespace {

class Handler : public ConnectionHandler {
 public:
  void on_readable(Connection&) override {}
  void on_writable(Connection&) override {}
  void on_peer_closed(Connection&) override {}
  void on_closed(Connection&, CloseReason) override {}
  Blockers blockers() const override { return found; }
  Bytes capture_state() const override { return state; }

  Blockers found;
  Bytes state;
};

class Readiness : public ::testing::Test {
 protected:
  // One echo connection at h1.
  void SetUp() override {
    cluster.start();
    for (int i = 0; i < 2 && owner() != &h1(); ++i) {
      client = &cluster.add_client(kEchoPort);
      client->send_ramp(10).await_bytes(10).sleep(1h).start();
      run_for(200ms);
    }
    ASSERT_EQ(owner(), &h1());
  }

  void run_for(Duration d) { cluster.world().run_for(d); }
  SimMachine& h1() { return cluster.machine("h1"); }
  SimMachine& h2() { return cluster.machine("h2"); }
  ConnectionId id() { return *cluster.connection_of(*client); }
  SimMachine* owner() { return client == nullptr ? nullptr : cluster.owner_of(id()); }
  Connection& connection() { return *h1().node().stack().find(id()); }

  std::string shown() {
    for (const ConnectionRow& row : h1().node().connections()) {
      if (row.id == id()) return row.blockers;
    }
    return "not shown";
  }
  std::uint64_t counted(const std::string& name) {
    return h1()
        .node()
        .metrics()
        .counter("migd_migrations_refused_total{reason=\"" + name + "\"}")
        .value;
  }
  MigrationRequest wish() {
    MigrationRequest request;
    request.connection = id();
    request.target = h2().id();
    return request;
  }
  // How that ends at h1.
  std::optional<MigrationFinished> ask(const MigrationRequest& request) {
    std::optional<MigrationFinished> finished;
    cluster.on_message([&](SimMachine& machine, const Message& message) {
      const auto* m = std::get_if<MigrationFinished>(&message);
      if (m != nullptr && &machine == &h1() && !finished) finished = *m;
    });
    h1().node().bus().post(request);
    run_for(1s);
    cluster.forget_observers();
    return finished;
  }
  void expect_refused(const MigrationRequest& request, const std::string& name) {
    const std::uint64_t before = counted(name);
    const auto finished = ask(request);
    ASSERT_TRUE(finished) << name;
    EXPECT_EQ(finished->outcome, MigrationOutcome::kRefused);
    EXPECT_EQ(finished->reason, name);
    EXPECT_EQ(counted(name), before + 1) << name;
    EXPECT_EQ(owner(), &h1());
  }

  SimCluster cluster{ClusterOptions{}};
  SimClient* client = nullptr;
};

TEST_F(Readiness, NothingStandsInTheWay) {
  EXPECT_EQ(shown(), "");
  const auto finished = ask(wish());
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->outcome, MigrationOutcome::kCompleted);
  EXPECT_EQ(owner(), &h2());
}

TEST_F(Readiness, AppBusy) {
  Handler handler;
  handler.found = Blocker::kAppBusy;
  connection().bind("echo", &handler);
  EXPECT_EQ(shown(), "app_busy");
  expect_refused(wish(), "app_busy");
  handler.found = {};
  EXPECT_EQ(shown(), "");
}

TEST_F(Readiness, BlobTooLarge) {
  Handler handler;
  handler.state.resize(limits::kApplicationStateMax);
  connection().bind("echo", &handler);
  EXPECT_EQ(shown(), "");
  handler.state.push_back(0);
  EXPECT_EQ(shown(), "blob_too_large");
  expect_refused(wish(), "blob_too_large");
}

TEST_F(Readiness, ForwardedTooOften) {
  MigrationRequest request = wish();
  request.terms.unbound = true;
  ASSERT_EQ(ask(request)->outcome, MigrationOutcome::kCompleted);
  const auto move_on = [&] {
    std::string reason = "never answered";
    SimMachine& target = owner() == &h1() ? h2() : h1();
    EXPECT_TRUE(
        cluster.migrate(*client, target, [&](const MigrateReport& r) { reason = r.reason; }));
    run_for(1s);
    return reason;
  };
  for (int i = 1; i < limits::kForwardHopsMax; ++i)
    ASSERT_EQ(move_on(), "");
  EXPECT_EQ(move_on(), "forwarded_too_often");
}

TEST_F(Readiness, Moving) {
  cluster.net().isolate(h2().port(), true);  // so that it takes a while
  h1().node().bus().post(wish());
  run_for(10ms);
  EXPECT_EQ(shown(), "moving");
  expect_refused(wish(), "moving");
}

TEST_F(Readiness, StaleEpoch) {
  MigrationRequest request = wish();
  request.expected_epoch = Epoch{1};  // the classifier's
  expect_refused(request, "stale_epoch");
}

TEST_F(Readiness, AlreadyHere) {
  MigrationRequest request = wish();
  request.target = h1().id();
  expect_refused(request, "already_here");
}

TEST_F(Readiness, TargetUnknown) {
  MigrationRequest request = wish();
  request.target = NodeId{99};
  expect_refused(request, "target_unknown");
}

TEST_F(Readiness, TargetDownAndNoTarget) {
  cluster.crash(h2());
  run_for(10s);
  EXPECT_EQ(shown(), "no_target");
  expect_refused(wish(), "target_down");
}

TEST_F(Readiness, TargetFull) {
  h2().node().stack().reserve(limits::kConnectionsMax);
  const auto finished = ask(wish());
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->outcome, MigrationOutcome::kRefused);
  EXPECT_EQ(finished->reason, "target_full") << "by its answer to PREPARE: nothing was frozen";
  EXPECT_EQ(owner(), &h1());
  h2().node().stack().reserve(0);
  const auto again = ask(wish());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->outcome, MigrationOutcome::kCompleted);
}

TEST_F(Readiness, NoForwarder) {
  cluster.crash(cluster.machine("f1"));
  run_for(10s);
  EXPECT_EQ(shown(), "no_forwarder");
  expect_refused(wish(), "no_forwarder");
}

TEST_F(Readiness, SeveralAreAllNamedAndCounted) {
  Handler handler;
  handler.found = Blocker::kAppBusy;
  connection().bind("echo", &handler);
  MigrationRequest request = wish();
  request.target = h1().id();
  const auto finished = ask(request);
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->reason, "app_busy,already_here");
  EXPECT_EQ(counted("app_busy"), 1u);
  EXPECT_EQ(counted("already_here"), 1u);
}

TEST(ReadinessOfFamilies, ATargetWithoutAnAddressOfItIsNone) {
  ClusterOptions options;
  options.family = Family::kIpv6;
  SimCluster cluster(options);
  for (PeerOptions& peer : cluster.machine("h1").options().peers)
    if (peer.info.name == "h2") peer.info.tunnel_v6.reset();
  cluster.start();
  SimMachine& h1 = cluster.machine("h1");
  std::string reason;
  for (int i = 0; i < 2; ++i) {
    SimClient& client = cluster.add_client(kEchoPort);
    client.send_ramp(10).await_bytes(10).sleep(1h).start();
    cluster.world().run_for(200ms);
    if (cluster.owner_of(*cluster.connection_of(client)) != &h1) continue;
    EXPECT_EQ(h1.node().connections().front().blockers, "no_target");
    cluster.migrate(client, cluster.machine("h2"),
                    [&](const MigrateReport& report) { reason = report.reason; });
  }
  cluster.world().run_for(1s);
  EXPECT_EQ(reason, "target_no_family");
}

}  // namespace
}  // namespace migd::sim
