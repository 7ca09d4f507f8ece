// Bugs planted into a cluster of shipped nodes, at the wire: each is caught by the checker made for
// it, and the same run without it is silent. (checker_test.cc does the same on a toy cluster.)
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <set>
#include <string>

#include "tests/sim/bugs.h"
#include "tests/sim/scenario.h"

namespace migd::sim {
namespace {

struct Plant {
  std::string name;
  std::string checker;
  std::string reason;  // a part of what it must say first: it is not to be right by accident
  Scenario scenario;
  std::function<void(SimCluster&, SimClient&)> bug;
};
void PrintTo(const Plant& plant, std::ostream* out) {
  *out << plant.name;
}

// Counts the moves that have ended; shared by what is planted.
std::shared_ptr<int> count_moves(SimCluster& cluster) {
  auto moves = std::make_shared<int>(0);
  cluster.on_message([moves](SimMachine& machine, const Message& message) {
    const bool host = machine.options().self.roles.host;
    if (host && std::holds_alternative<MigrationArrived>(message)) ++*moves;
  });
  return moves;
}

// Changes what the hosts send to the client from the second arrival at a host on (the first is the
// placement).
std::function<void(SimCluster&, SimClient&)> rewrite(std::function<void(Segment&)> change) {
  return [change](SimCluster& cluster, SimClient& client) {
    const auto moves = count_moves(cluster);
    for (SimMachine* host : cluster.hosts()) {
      cluster.net().set_filter(
          host->port(), rewriting(
                            client.tcp().config().remote, [moves] { return *moves > 1; }, change));
    }
  };
}

// Remembers the last segment that each host sent to the client, and says it again from the source
// `delay` after the source has reached `stage`.
std::function<void(SimCluster&, SimClient&)> repeat_from_source(Stage stage, Duration delay) {
  return [=](SimCluster& cluster, SimClient& client) {
    auto last = std::make_shared<Bytes>();
    for (SimMachine* host : cluster.hosts()) {
      cluster.net().set_filter(host->port(),
                               [last, vip = client.tcp().config().remote](Bytes packet) {
                                 const auto segment = decode(packet);
                                 if (segment && segment->src == vip) *last = packet;
                                 std::vector<Bytes> out;
                                 out.push_back(std::move(packet));
                                 return out;
                               });
    }
    cluster.on_message([=, &cluster](SimMachine& machine, const Message& message) {
      const auto* reached = std::get_if<MigrationStageReached>(&message);
      if (reached == nullptr || reached->stage != stage || last->empty()) return;
      if (!machine.options().self.roles.host) return;
      const PortId port = machine.port();
      cluster.world().schedule(cluster.world().now() + delay, [=, &cluster] {
        const Bytes packet = *last;
        cluster.net().send(port, packet);
      });
    });
  };
}

// The first data that the forwarder sends to the new owner of a frozen flow, before that is active,
// is lost. Once only.
void drop_early_packet(SimCluster& cluster, SimClient&) {
  struct State {
    SimMachine* source = nullptr;  // while it has the flow frozen
    bool dropped = false;
  };
  auto state = std::make_shared<State>();
  cluster.on_message([state](SimMachine& machine, const Message& message) {
    const auto* reached = std::get_if<MigrationStageReached>(&message);
    if (reached == nullptr || !machine.options().self.roles.host) return;
    if (reached->stage == Stage::kFrozen) state->source = &machine;
    if (reached->stage == Stage::kActivated) state->source = nullptr;
  });
  cluster.net().set_filter(cluster.machine("f1").port(), [state](Bytes packet) {
    std::vector<Bytes> out;
    // Mapped flows look like TCP between tunnel addresses.
    const auto ip = addresses_of(packet);
    const bool mapped = ip && ip->protocol == 6 && packet.size() > 300;
    const bool early = mapped && state->source != nullptr &&
                       ip->dst != *state->source->options().self.tunnel(ip->dst.family());
    if (!early || std::exchange(state->dropped, true)) out.push_back(std::move(packet));
    return out;
  });
}

class PlantedInNodes : public ::testing::TestWithParam<Plant> {};

TEST_P(PlantedInNodes, IsCaughtByItsChecker) {
  const Plant& plant = GetParam();
  Scenario scenario = plant.scenario;
  scenario.moves = {.when = Moves::When::kAtRandom, .mean = 3ms};
  scenario.limit = 1s;  // what is broken may never end
  const Outcome still = run(scenario, false);
  const Outcome sound = run(scenario, true, scenario.clean_path() ? &still.counts : nullptr);
  EXPECT_TRUE(sound.violations.empty()) << sound.report();
  EXPECT_GE(sound.migrations.completed, 3);

  scenario.disturb = plant.bug;
  const bool counted = plant.checker == "clean_path";
  const Outcome broken = run(scenario, true, counted ? &still.counts : nullptr);
  std::set<std::string> speakers;
  for (const Violation& violation : broken.violations)
    speakers.insert(violation.checker);
  speakers.erase("survival");  // that a client is not served is a consequence
  EXPECT_EQ(speakers, std::set<std::string>{plant.checker}) << broken.report();
  ASSERT_FALSE(broken.violations.empty());
  EXPECT_NE(broken.violations.front().what.find(plant.reason), std::string::npos)
      << broken.report();
}

Scenario lossy_upload() {
  Scenario scenario = upload(400'000);
  scenario.cluster.client_path = {.delay = 5ms, .loss = 0.05};
  return scenario;
}

// Three crossings, in which packets can come early.
Scenario unprepared(Scenario scenario) {
  scenario.cluster.migration_prepare = false;
  return scenario;
}

INSTANTIATE_TEST_SUITE_P(
    Bugs, PlantedInNodes,
    ::testing::Values(Plant{"timestamp_back", "timestamps", "TSval goes back", download(),
                            rewrite(bugs::timestamp_back)},
                      Plant{"no_timestamps", "timestamps", "negotiated, but missing", download(),
                            rewrite(bugs::no_timestamps)},
                      Plant{"shrunk_window", "window", "the right edge shrinks", upload(300'000),
                            rewrite(bugs::shrunk_window)},
                      Plant{"reset", "reset", "RST", download(), rewrite(bugs::reset)},
                      Plant{"lost_out_of_order", "sack", "does not say so any more", lossy_upload(),
                            rewrite(bugs::sack_withheld)},
                      Plant{"dropped_early_packet", "clean_path",
                            "retransmissions 0 by server, 1 by client",
                            unprepared(upload(2'000'000)), drop_early_packet},
                      Plant{"two_owners", "one_owner", " granted epoch ", download(),
                            repeat_from_source(Stage::kGranted, 40us)},
                      Plant{"source_after_release", "one_owner", " owns epoch ", download(),
                            repeat_from_source(Stage::kReleased, 1ms)},
                      Plant{"talking_source", "silent_source", "although it froze", download(),
                            repeat_from_source(Stage::kFrozen, 40us)}),
    [](const auto& param_info) { return param_info.param.name; });

}  // namespace
}  // namespace migd::sim
