// Handshakes that are begun twice: at a classifier that is away for a while, and at another one
// that takes it for dead. Which of the two connections the client has, only its answer says.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/sim/scenario.h"
#include "tests/sim/seeds.h"

namespace migd::sim {
namespace {

using On = ServiceOptions::On;

ClusterOptions three_classifiers(std::uint64_t seed, On on, int hosts = 2) {
  ClusterOptions options;
  options.seed = seed;
  options.on = on;
  options.hosts = hosts;
  options.classifier_apart = options.hosts_classify = true;
  return options;
}

void expect_served(SimCluster& cluster, const SimClient& client) {
  EXPECT_TRUE(client.finished() && !client.failed()) << client.progress();
  for (const Violation& violation : cluster.judge().violations())
    ADD_FAILURE() << violation.to_string();
}

// Who opens connections, in turn; `then` hears of each.
using Opened = std::function<void(SimMachine&, const ConnectionId&)>;
void on_opened(SimCluster& cluster, Opened then) {
  cluster.on_message([then](SimMachine& machine, const Message& message) {
    if (const auto* m = std::get_if<ConnectionOpened>(&message)) then(machine, m->connection);
  });
}

// A classifier that is cut off with a handshake half done is taken for dead, and the client begins
// anew at another one. When the first is back, its half-open connection moves nowhere, answers
// nobody, and is let go of; the client never notices that there was one.
class CutOff : public ::testing::TestWithParam<On> {};

TEST_P(CutOff, WhatItLeftHalfOpenGivesWayToWhatTheClientHas) {
  for_each_seed(3, [](std::uint64_t seed) {
    SimCluster cluster(three_classifiers(seed, GetParam()));
    cluster.start();
    SimMachine* first = nullptr;
    ConnectionId half_open;
    std::vector<ConnectionId> arrived;
    on_opened(cluster, [&](SimMachine& machine, const ConnectionId& id) {
      if (first != nullptr) return;
      first = &machine;
      half_open = id;
      cluster.net().isolate(machine.port(), true);
    });
    cluster.on_message([&](SimMachine&, const Message& message) {
      if (const auto* m = std::get_if<MigrationArrived>(&message)) {
        arrived.push_back(m->tenure.connection);
      }
    });
    // It says nothing before both are there again.
    SimClient& client = cluster.add_client(GetParam() == On::kSyn ? kEchoPort : kHttpPort);
    client.sleep(8s);
    if (GetParam() == On::kSyn) {
      client.send_ramp(1000).await_bytes(1000);
    } else {
      client.send("GET /files/small HTTP/1.1\r\nHost: a\r\n\r\n").await_responses(1);
    }
    client.start();
    cluster.world().run_for(6s);
    ASSERT_NE(first, nullptr);
    ASSERT_NE(cluster.connection_of(client), half_open) << "another one has answered";
    EXPECT_NE(first->node().stack().find(half_open), nullptr);
    cluster.net().isolate(first->port(), false);
    cluster.world().run_for(4s);
    EXPECT_EQ(first->node().stack().find(half_open), nullptr);
    cluster.world().run_for(5s);
    expect_served(cluster, client);
    EXPECT_EQ(std::count(arrived.begin(), arrived.end(), half_open), 0);
  });
}

INSTANTIATE_TEST_SUITE_P(When, CutOff, ::testing::Values(On::kSyn, On::kRequest),
                         [](const auto& each) {
                           return each.param == On::kSyn ? "AtTheSyn" : "AtTheRequest";
                         });

// It may be late, and meet the next connection of the tuple.
TEST(CutOffOnce, WhoIsToldTwiceLetsGoOnce) {
  SimCluster cluster(three_classifiers(1, On::kRequest));
  cluster.start();
  SimMachine* first = nullptr;
  std::vector<ConnectionId> at_first;
  on_opened(cluster, [&](SimMachine& machine, const ConnectionId& id) {
    if (first == nullptr) cluster.net().isolate(machine.port(), true);
    if (first == nullptr) first = &machine;
    if (first == &machine) at_first.push_back(id);
  });
  SimClient& client = cluster.add_client(kHttpPort);
  client.sleep(60s);
  client.start();
  cluster.world().run_for(6s);
  int told = 0;
  cluster.decide_sending([&told](SimMachine&, ChannelMessage& message) -> std::vector<Duration> {
    if (message.kind != wire::Kind::kMoved || ++told > 1) return {Duration::zero()};
    return {Duration::zero(), 3s};
  });
  cluster.net().isolate(first->port(), false);
  ASSERT_TRUE(cluster.world().run_until([&] { return told > 0; }, cluster.world().now() + 5s));
  cluster.world().run_for(1s);
  client.tcp().abort();
  cluster.world().run_for(1500ms);
  SimClient& next = cluster.add_client_again(client);
  cluster.net().path(first->port(), next.port()).delay = 1s;  // half-open for so long
  next.send("GET /files/small HTTP/1.1\r\nHost: a\r\n\r\n").await_responses(1);
  next.start();
  cluster.world().run_for(200ms);
  ASSERT_EQ(at_first.size(), 2u);
  EXPECT_NE(first->node().stack().find(at_first.back()), nullptr);
  cluster.world().run_for(8s);
  EXPECT_TRUE(next.finished() && !next.failed()) << next.progress();
}

// The second dies as well before the client has heard of it: its mapping holds the SYN no longer.
TEST(CutOffTwice, TheNextSynGoesToAThird) {
  for_each_seed(3, [](std::uint64_t seed) {
    SimCluster cluster(three_classifiers(seed, On::kRequest, /*hosts=*/3));
    cluster.start();
    SimClient& client = cluster.add_client(kEchoPort);
    client.send_ramp(100).await_bytes(100);
    const auto nothing_reaches_the_client = [&](bool blocked) {
      for (const auto& machine : cluster.machines())
        cluster.net().path(machine->port(), client.port()).blocked = blocked;
    };
    nothing_reaches_the_client(true);
    SimMachine *first = nullptr, *second = nullptr;
    on_opened(cluster, [&](SimMachine& machine, const ConnectionId&) {
      if (first == nullptr) {
        first = &machine;
        cluster.net().isolate(machine.port(), true);
      } else if (second == nullptr && &machine != first) {
        second = &machine;
      }
    });
    client.start();
    const Instant limit = cluster.world().now() + 20s;
    ASSERT_TRUE(cluster.world().run_until([&] { return second != nullptr; }, limit));
    cluster.world().run_for(50ms);  // its MAP is at the forwarder
    cluster.net().isolate(second->port(), true);
    nothing_reaches_the_client(false);
    cluster.world().run_for(20s);
    EXPECT_TRUE(client.finished() && !client.failed()) << client.progress();
  });
}

// What the client has is not the draining node's to give away, nor another's to take.
TEST(SynAgain, WhileItsClassifierDrainsItTakesNothing) {
  for_each_seed(3, [](std::uint64_t seed) {
    SimCluster cluster(three_classifiers(seed, On::kRequest));
    cluster.start();
    SimClient& client = cluster.add_client(kHttpPort);
    client.sleep(2s).send("GET /files/small HTTP/1.1\r\nHost: a\r\n\r\n").await_responses(1);
    Bytes syn;
    cluster.net().set_filter(client.port(), [&syn](Bytes packet) {
      if (syn.empty()) syn = packet;
      std::vector<Bytes> out;
      out.push_back(std::move(packet));
      return out;
    });
    client.start();
    cluster.world().run_for(100ms);
    cluster.owner_of(*cluster.connection_of(client))->node().set_draining(true);
    cluster.world().run_for(500ms);  // until its heartbeat has said so
    cluster.net().send(client.port(), Bytes(syn));
    cluster.world().run_for(3s);
    EXPECT_TRUE(client.finished() && !client.failed()) << client.progress();
  });
}

}  // namespace
}  // namespace migd::sim
