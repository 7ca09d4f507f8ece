// Connections that no application has: chosen when the SYN is answered, moved before anything is
// classified, and disassociated and associated again in mid-life.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/sim/scenario.h"
#include "tests/sim/seeds.h"

namespace migd::sim {
namespace {

using On = ServiceOptions::On;

// ---- on = "syn" ----

struct Seen {
  int arrived_half_open = 0;
  std::vector<std::string> arrived_at;
  std::vector<std::string> bound_at;  // names of nodes
};

Scenario at_the_syn(Scenario scenario, std::uint64_t seed, Seen& seen) {
  scenario.cluster.seed = seed;
  scenario.cluster.on = On::kSyn;
  scenario.disturb = [&seen](SimCluster& cluster, SimClient& client) {
    cluster.on_message([&seen, &client](SimMachine& machine, const Message& message) {
      if (std::holds_alternative<MigrationArrived>(message)) {
        seen.arrived_at.push_back(machine.name());
        seen.arrived_half_open += client.tcp().state() == Tcp::State::kSynSent ? 1 : 0;
      }
      if (std::holds_alternative<ConnectionBound>(message)) seen.bound_at.push_back(machine.name());
    });
  };
  return scenario;
}

TEST(OnSyn, ItMovesHalfOpenAndTheTargetAnswersAsTheFirst) {
  for_each_seed(4, [](std::uint64_t seed) {
    for (const Scenario& plain : {echo(20, 300), source(200'000), discard(200'000)}) {
      Seen seen;
      const Outcome moved = expect_unseen(at_the_syn(plain, seed, seen));
      EXPECT_EQ(seen.arrived_at.size(), 2u) << moved.report();  // with and without moves
      EXPECT_EQ(seen.arrived_half_open, 2) << moved.report();
      ASSERT_EQ(seen.bound_at.size(), 2u) << moved.report();
      EXPECT_NE(seen.bound_at.front(), "f1");
    }
  });
}

TEST(OnSyn, OnBadPathsAndMovingOn) {
  for_each_seed(3, [](std::uint64_t seed) {
    for (const Scenario& plain : {echo(30, 700), source(150'000), discard(150'000)}) {
      Seen seen;
      Scenario scenario = at_the_syn(plain, seed, seen);
      scenario.cluster.client_path = {.delay = 4ms,
                                      .jitter = 500us,
                                      .loss = 0.03,
                                      .duplicate = 0.02,
                                      .reorder = 0.05,
                                      .reorder_delay = 4ms};
      scenario.moves = {.when = Moves::When::kAtRandom, .mean = 5ms};
      const Outcome moved = expect_unseen(scenario);
      EXPECT_GE(moved.migrations.completed, 3) << moved.report();
    }
  });
}

TEST(OnSyn, TheBestNodeMayBeThisOne) {
  Seen seen;
  Scenario scenario = at_the_syn(echo(20, 300), 1, seen);
  scenario.cluster.forwarder_is_host = true;
  scenario.cluster.hosts = 0;
  scenario.cluster.policy = Pool::Policy::kLeastLoaded;
  const Outcome outcome = run(scenario, false);
  EXPECT_TRUE(outcome.finished) << outcome.report();
  EXPECT_EQ(seen.bound_at, std::vector<std::string>{"f1"});
  EXPECT_TRUE(seen.arrived_at.empty());
}

TEST(OnSyn, WhenTheTargetCannotTakeItAnotherOneDoes) {
  Seen seen;
  Scenario scenario = at_the_syn(echo(20, 300), 1, seen);
  const auto watch = scenario.disturb;
  scenario.disturb = [watch](SimCluster& cluster, SimClient& client) {
    watch(cluster, client);
    cluster.crash(cluster.machine("h1"));
  };
  const Outcome outcome = run(scenario, false);
  EXPECT_TRUE(outcome.finished) << outcome.report();
  EXPECT_EQ(seen.arrived_at, std::vector<std::string>{"h2"}) << outcome.report();
}

// ---- the cluster by hand ----

class Unbound : public ::testing::Test {
 protected:
  explicit Unbound(On on = On::kRequest) {
    ClusterOptions options;
    options.on = on;
    options.hosts_classify = true;
    cluster = std::make_unique<SimCluster>(options);
    cluster->start();
    cluster->on_message([this](SimMachine&, const Message& message) {
      if (const auto* m = std::get_if<MigrationFinished>(&message)) last = *m;
    });
  }

  void begin(std::uint16_t port) {
    client = &cluster->add_client(port);
    client->start();
    cluster->world().run_for(50ms);
  }
  Connection& connection() {
    const auto id = cluster->connection_of(*client);
    SimMachine* const owner = cluster->owner_of(*id);
    MIGD_CHECK(owner != nullptr);
    return *owner->node().stack().find(*id);
  }
  SimMachine& owner() { return *cluster->owner_of(*cluster->connection_of(*client)); }
  // What the operator may ask for: target "" stays.
  std::string ask(const std::string& target, const std::string& application, bool unbound) {
    MigrationRequest request;
    request.request = 0;
    request.connection = *cluster->connection_of(*client);
    if (!target.empty()) request.target = cluster->machine(target).options().self.id;
    request.terms.application = application;
    request.terms.unbound = unbound;
    last.reset();
    SimMachine& at = owner();
    at.ask(std::move(request));
    cluster->world().run_for(50ms);
    return last ? last->reason : "nothing came of it";
  }
  void client_sends(std::size_t first, std::size_t size) {
    client->tcp().write(ramp(first, size));
    cluster->world().run_for(50ms);
  }
  std::string other() { return owner().name() == "h1" ? "h2" : "h1"; }
  void expect_sound() { EXPECT_TRUE(cluster->judge().violations().empty()); }

  std::unique_ptr<SimCluster> cluster;
  SimClient* client = nullptr;
  std::optional<MigrationFinished> last;
};

TEST_F(Unbound, AMoveBeforeTheRequestIsClassifiedThere) {
  client = &cluster->add_client(kHttpPort);
  client->sleep(200ms).send("GET /b/small HTTP/1.1\r\nHost: a\r\n\r\n").await_responses(1);
  client->start();
  cluster->world().run_for(50ms);
  ASSERT_EQ(owner().name(), "f1");
  EXPECT_EQ(ask("h1", "", false), "");
  EXPECT_EQ(owner().name(), "h1");
  EXPECT_EQ(connection().application(), "");
  cluster->world().run_for(500ms);
  EXPECT_TRUE(client->finished()) << client->progress();
  EXPECT_EQ(owner().name(), "h2");  // by the rule, of h1's classifier
  expect_sound();
}

TEST_F(Unbound, HalfARequestGoesAlong) {
  client = &cluster->add_client(kHttpPort);
  client->send("GET /b/sm").sleep(200ms).send("all HTTP/1.1\r\nHost: a\r\n\r\n").await_responses(1);
  client->start();
  cluster->world().run_for(50ms);
  EXPECT_EQ(ask("h1", "", false), "");
  EXPECT_EQ(connection().readable(), 9u);
  cluster->world().run_for(500ms);
  EXPECT_TRUE(client->finished()) << client->progress();
  expect_sound();
}

TEST_F(Unbound, DisassociatedItWaitsAndGoesOn) {
  begin(kEchoPort);
  client_sends(0, 100);
  EXPECT_EQ(client->tcp().received().size(), 100u);
  EXPECT_EQ(ask("", "", true), "");
  EXPECT_EQ(connection().application(), "");
  EXPECT_EQ(ask("", "", true), "already_unbound");
  client_sends(100, 1000);
  EXPECT_EQ(connection().readable(), 1000u);
  const std::string target = other();
  EXPECT_EQ(ask(target, "", false), "");
  EXPECT_EQ(owner().name(), target);
  EXPECT_EQ(connection().application(), "");  // kept: no classifier takes it
  EXPECT_EQ(connection().readable(), 1000u);
  EXPECT_EQ(ask("", "", false), "");  // the one that left last
  EXPECT_EQ(connection().application(), "echo");
  EXPECT_EQ(ask("", "echo", false), "already_bound");
  EXPECT_EQ(client->tcp().received(), ramp(0, 1100));
  expect_sound();
}

// source, then echo on another node, then source again where it stopped, on the first one.
TEST_F(Unbound, AnotherApplicationAndBackToTheFirst) {
  client = &cluster->add_client(kSourcePort);
  client->stop_reading();
  client->start();
  cluster->world().run_for(100ms);
  const std::string first = owner().name(), second = other();
  EXPECT_EQ(connection().application(), "source");
  const std::uint64_t written = connection().bytes_out();
  EXPECT_GT(written, 0u);
  EXPECT_EQ(ask(second, "echo", false), "");
  EXPECT_EQ(connection().application(), "echo");
  client->tcp().set_reading(true);
  client->tcp().write(Bytes(5, 'x'));
  cluster->world().run_for(500ms);
  const Bytes& received = client->tcp().received();
  ASSERT_EQ(received.size(), written + 5);
  EXPECT_EQ(Bytes(received.end() - 5, received.end()), Bytes(5, 'x'));
  EXPECT_EQ(ask(first, "source", false), "");
  EXPECT_EQ(connection().application(), "source");
  cluster->world().run_for(100ms);
  ASSERT_GT(received.size(), written + 1000);
  const auto begin = received.begin() + static_cast<std::ptrdiff_t>(written) + 5;
  EXPECT_EQ(Bytes(begin, begin + 900), ramp(written, 900));  // not from its beginning
  expect_sound();
}

class ByCall : public Unbound {
 protected:
  ByCall() : Unbound(On::kCall) {}
};

TEST_F(ByCall, NothingHappensUntilItIsBound) {
  begin(kEchoPort);
  client_sends(0, 50);
  cluster->world().run_for(1s);
  EXPECT_EQ(owner().name(), "f1");
  EXPECT_EQ(connection().readable(), 50u);
  EXPECT_EQ(ask("", "", false), "no_application");
  EXPECT_EQ(ask("h2", "echo", false), "");
  EXPECT_EQ(client->tcp().received(), ramp(0, 50));
  EXPECT_EQ(owner().name(), "h2");
  expect_sound();
}

TEST_F(ByCall, NobodyCallsInTime) {
  begin(kEchoPort);
  cluster->world().run_for(11s);
  EXPECT_EQ(cluster->owner_of(*cluster->connection_of(*client)), nullptr);
}

}  // namespace
}  // namespace migd::sim
