// Bugs planted into the protocol, and into nodes that survive others: what a broken node would say
// to its peers, keep, forget or answer. Each is told first by the checker made for it; the same run
// without the bug is silent. (planted_test.cc has those that show in single segments.)
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/bugs.h"
#include "tests/sim/check/memory.h"
#include "tests/sim/check/survival.h"
#include "tests/sim/faults.h"
#include "tests/sim/scenario.h"
#include "tests/sim/straggler.h"

namespace migd::sim {
namespace {

struct Plant {
  std::string name;
  std::string checker;
  std::string reason;  // a part of what it must say
  Scenario scenario;
  std::function<void(SimCluster&, SimClient&)> bug;
  // What happens in the sound run, too.
  std::function<void(SimCluster&, SimClient&)> setting = [](SimCluster&, SimClient&) {};
};
void PrintTo(const Plant& plant, std::ostream* out) {
  *out << plant.name;
}

// ---- what broken nodes say to each other ----

using Change = std::function<std::vector<Duration>(SimMachine&, ChannelMessage&)>;
std::function<void(SimCluster&, SimClient&)> says(Change change) {
  return [change](SimCluster& cluster, SimClient&) { cluster.decide_sending(change); };
}

const std::vector<Duration> kAsItIs = {0ms};

ChannelMessage with(ChannelMessage message, const wire::Message& other) {
  message.kind = wire::kind_of(other);
  message.head = wire::serialize(other);
  message.via = message.to;
  message.body.clear();
  return message;
}

// GRANT leaves with every STATE, though nobody has promised and the source holds on to it.
std::vector<Duration> grant_before_ready(SimMachine& from, ChannelMessage& message) {
  if (message.kind != wire::Kind::kState || !from.options().self.roles.host) return kAsItIs;
  auto state = message.as<wire::State>();
  state.granted = true;
  message.head = wire::serialize(state);
  return kAsItIs;
}

// The target goes on, and says that it never will.
std::vector<Duration> refused_after_activation(SimMachine& from, ChannelMessage& message) {
  if (message.kind != wire::Kind::kActive || !from.options().self.roles.host) return kAsItIs;
  message = with(message, wire::Refuse{message.as<wire::Active>().tenure, "changed_its_mind"});
  return kAsItIs;
}

// A READY that nobody waits for is taken for one: the source, which has thawed, grants.
std::vector<Duration> grant_after_abort(SimMachine& from, ChannelMessage& message) {
  if (message.kind != wire::Kind::kAbort) return kAsItIs;
  from.channel().inject(with(message, wire::Grant{message.as<wire::Abort>().tenure}));
  return {};
}

// The target hears of the barrier before it can have passed.
std::vector<Duration> early_barrier(SimMachine& from, ChannelMessage& message) {
  if (message.kind != wire::Kind::kState || !from.options().self.roles.host) return kAsItIs;
  const auto state = message.as<wire::State>();
  from.channel().inject(with(message, wire::Barrier{state.tenure, state.forwarder,
                                                    from.channel().peer_boot(state.forwarder)}));
  return kAsItIs;
}

// Whoever goes on after a rollback, or is asked by a forwarder that is back, keeps it to himself.
std::vector<Duration> owner_not_announced(SimMachine&, ChannelMessage& message) {
  return message.kind == wire::Kind::kMap ? std::vector<Duration>{} : kAsItIs;
}

// Whoever was cut off is not told that another has its client.
std::vector<Duration> superseded_not_told(SimMachine&, ChannelMessage& message) {
  return message.kind == wire::Kind::kMoved ? std::vector<Duration>{} : kAsItIs;
}

// ---- what happens ----

// Packets from the forwarder to h1 are slow, so that stragglers come late at h2.
void slow_old_way(SimCluster& cluster, SimClient&) {
  cluster.net().path(cluster.machine("f1").port(), cluster.machine("h1").port()).delay = 4ms;
}

void when_sent(SimCluster& cluster, std::function<void(SimMachine& source)> then) {
  cluster.on_message([then, times = 0](SimMachine& machine, const Message& message) mutable {
    const auto* reached = std::get_if<MigrationStageReached>(&message);
    if (reached == nullptr || !machine.options().self.roles.host) return;
    if (reached->stage == Stage::kSent && ++times == 2) then(machine);
  });
}

void target_dies(SimCluster& cluster, SimClient&) {
  when_sent(cluster, [&cluster](SimMachine& source) {
    apply(cluster, cluster.machine(source.name() == "h1" ? "h2" : "h1"), Fault::kCrash);
  });
}

void target_is_cut_off(SimCluster& cluster, SimClient&) {
  when_sent(cluster, [&cluster](SimMachine& source) {
    // It has the state, but cannot say so in time.
    SimMachine& target = cluster.machine(source.name() == "h1" ? "h2" : "h1");
    const auto after = [&cluster](Duration d, std::function<void()> task) {
      cluster.world().schedule(cluster.world().now() + d, std::move(task));
    };
    after(300us, [&] { cluster.net().isolate(target.port(), true); });
    after(4s, [&] { cluster.net().isolate(target.port(), false); });
  });
}

// Until another classifier has answered the client's next SYN.
void classifier_is_cut_off(SimCluster& cluster, SimClient&) {
  cluster.on_message([&cluster, done = false](SimMachine& machine, const Message& message) mutable {
    if (!std::holds_alternative<ConnectionOpened>(message) || std::exchange(done, true)) return;
    cluster.net().isolate(machine.port(), true);
    cluster.world().schedule(cluster.world().now() + 5s, [&cluster, port = machine.port()] {
      cluster.net().isolate(port, false);
    });
  });
}

void forwarder_dies(SimCluster& cluster, SimClient&) {
  cluster.world().schedule(cluster.world().now() + 300ms, [&cluster] {
    apply(cluster, cluster.machine("f1"), Fault::kCrashAndRestart);
  });
}

// ---- what broken nodes do with packets ----

// What an earlier owner passes on to the next one goes through `change`.
void change_stragglers(SimCluster& cluster, std::function<std::vector<Bytes>(Bytes)> change) {
  for (SimMachine* host : cluster.hosts()) {
    cluster.net().set_filter(host->port(), [&cluster, host, change](Bytes packet) {
      const auto ip = addresses_of(packet);
      bool straggler = false;
      for (const SimMachine* other : cluster.hosts()) {
        straggler = straggler || (other != host && ip && ip->protocol == 6 &&
                                  ip->dst == *other->options().self.tunnel(ip->dst.family()));
      }
      std::vector<Bytes> out;
      if (straggler) return change(std::move(packet));
      out.push_back(std::move(packet));
      return out;
    });
  }
}

// It is eaten, but for the order marks.
void stragglers_eaten(SimCluster& cluster, SimClient&) {
  change_stragglers(cluster, [](Bytes packet) {
    std::vector<Bytes> out;
    if (is_order_mark(packet)) out.push_back(std::move(packet));
    return out;
  });
}

// The order mark leaves those behind that it was to come after, and so does the barrier.
void order_ignored(SimCluster& cluster, SimClient&) {
  cluster.decide_sending(early_barrier);
  change_stragglers(cluster, [held = std::vector<Bytes>()](Bytes packet) mutable {
    std::vector<Bytes> out;
    const bool mark = is_order_mark(packet);
    (mark ? out : held).push_back(std::move(packet));
    if (mark) std::ranges::move(std::exchange(held, {}), std::back_inserter(out));
    return out;
  });
}

// The source thaws, and is never heard again.
void dead_after_abort(SimCluster& cluster, SimClient& client) {
  auto dead = std::make_shared<SimMachine*>(nullptr);
  cluster.on_message([dead](SimMachine& machine, const Message& message) {
    const auto* finished = std::get_if<MigrationFinished>(&message);
    if (finished != nullptr && finished->outcome != MigrationOutcome::kCompleted &&
        machine.options().self.roles.host) {
      *dead = &machine;
    }
  });
  for (SimMachine* host : cluster.hosts()) {
    cluster.net().set_filter(host->port(), [=, vip = client.tcp().config().remote](Bytes packet) {
      const auto segment = decode(packet);
      std::vector<Bytes> out;
      if (*dead != host || !segment || segment->src != vip) out.push_back(std::move(packet));
      return out;
    });
  }
}

// One byte of what is sent again is another.
void contradiction(SimCluster& cluster, SimClient& client) {
  auto highest = std::make_shared<std::uint32_t>(0);
  for (SimMachine* host : cluster.hosts()) {
    cluster.net().set_filter(host->port(), [=, vip = client.tcp().config().remote](Bytes packet) {
      std::vector<Bytes> out;
      auto segment = decode(packet);
      if (segment && segment->src == vip && !segment->payload.empty()) {
        Bytes payload = to_bytes(segment->payload);
        if (*highest != 0 && before(segment->seq, *highest)) payload[0] ^= 1;
        if (*highest == 0 || before(*highest, segment->seq)) *highest = segment->seq;
        segment->payload = payload;
        out.push_back(encode(*segment));
      } else {
        out.push_back(std::move(packet));
      }
      return out;
    });
  }
}

// Packets are held for nobody.
void hoarder(SimCluster& cluster, SimClient&) {
  auto hoard = std::make_shared<std::vector<Frame>>();
  cluster.on_message([hoard](SimMachine& machine, const Message& message) {
    if (std::holds_alternative<MigrationArrived>(message)) {
      hoard->push_back(machine.pool().allocate(1000));
    }
  });
}

void answers_a_stranger(SimCluster& cluster, SimClient& client) {
  Segment reset;
  reset.src = client.tcp().config().remote;
  reset.dst = {client.tcp().config().local.address, 1234};
  reset.flags = Segment::kRst;
  cluster.world().schedule(cluster.world().now() + 20ms, [&cluster, reset] {
    cluster.net().send(cluster.machine("h1").port(), encode(reset));
  });
}

void syn_follows_tombstone(SimCluster& cluster, SimClient& client) {
  Segment syn;
  syn.src = client.tcp().config().local;
  syn.dst = client.tcp().config().remote;
  syn.flags = Segment::kSyn;
  syn.seq = 99;
  cluster.on_message([&cluster, syn](SimMachine& machine, const Message& message) {
    const auto* finished = std::get_if<MigrationFinished>(&message);
    if (finished == nullptr || finished->outcome != MigrationOutcome::kCompleted) return;
    const SimMachine& next = cluster.machine(finished->target);
    cluster.net().send(machine.port(), straggler(machine, next, encode(syn)));
  });
}

// ---- the test ----

struct Told {
  std::vector<Violation> violations;  // the earliest first
  std::string report;
  FlowCounts counts;
  int moves = 0;
};

Told tell(const Plant& plant, bool with_bug, bool with_moves, const FlowCounts* control) {
  Scenario scenario = plant.scenario;
  scenario.limit = 12s;
  scenario.disturb = [&](SimCluster& cluster, SimClient& client) {
    plant.setting(cluster, client);
    if (with_bug) plant.bug(cluster, client);
  };
  Outcome outcome = run(scenario, with_moves, control);
  Told told{outcome.violations, outcome.report(), outcome.counts, outcome.migrations.completed};
  std::stable_sort(told.violations.begin(), told.violations.end(),
                   [](const Violation& a, const Violation& b) { return a.at < b.at; });
  return told;
}

class PlantedInProtocol : public ::testing::TestWithParam<Plant> {};

TEST_P(PlantedInProtocol, IsToldFirstByItsChecker) {
  const Plant& plant = GetParam();
  const bool counted = plant.checker == "clean_path";
  const Told still = tell(plant, false, false, nullptr);
  const Told sound = tell(plant, false, true, counted ? &still.counts : nullptr);
  EXPECT_TRUE(sound.violations.empty()) << sound.report;
  EXPECT_GE(sound.moves, 2) << sound.report;
  const Told broken = tell(plant, true, true, counted ? &still.counts : nullptr);
  ASSERT_FALSE(broken.violations.empty()) << broken.report;
  EXPECT_EQ(broken.violations.front().checker, plant.checker) << broken.report;
  EXPECT_NE(broken.violations.front().what.find(plant.reason), std::string::npos) << broken.report;
}

Scenario moving(Scenario scenario, Duration mean = 10ms) {
  scenario.moves = {.when = Moves::When::kAtRandom, .mean = mean};
  return scenario;
}
// Before its forwarder dies: a move would map it anew.
Scenario resting(Scenario scenario) {
  scenario.moves.span = 250ms;
  return scenario;
}
Scenario with_classifiers(Scenario scenario) {
  scenario.cluster.on = ServiceOptions::On::kSyn;
  scenario.cluster.classifier_apart = scenario.cluster.hosts_classify = true;
  return scenario;
}
Scenario unprepared(Scenario scenario) {
  scenario.cluster.migration_prepare = false;
  return scenario;
}
// Packets come all the time, and not a window at once.
Scenario steady(Scenario scenario) {
  scenario.cluster.client_path.bytes_per_second = 25'000'000;
  return scenario;
}
Scenario lossy(Scenario scenario) {
  scenario.cluster.client_path = {.delay = 5ms, .loss = 0.05};
  return scenario;
}

INSTANTIATE_TEST_SUITE_P(
    Bugs, PlantedInProtocol,
    ::testing::Values(
        Plant{"grant_before_ready", "one_owner", "active without a GRANT",
              moving(unprepared(download(3))), says(grant_before_ready)},
        Plant{"thaw_after_grant", "one_owner", " owns epoch ", moving(unprepared(download(3))),
              says(refused_after_activation)},
        Plant{"grant_after_abort", "one_owner", " owns epoch ",
              moving(unprepared(echo(1500, 900)), 40ms), says(grant_after_abort),
              target_is_cut_off},
        Plant{"order_ignored", "clean_path", "duplicate ACK",
              moving(unprepared(steady(upload(3'000'000)))), order_ignored, slow_old_way},
        Plant{"stragglers_eaten", "clean_path", "by client",
              moving(unprepared(upload(3'000'000)), 3ms), stragglers_eaten},
        Plant{"mapping_not_reverted", "survival", "waits in vain",
              moving(unprepared(echo(400, 900)), 40ms), says(owner_not_announced), target_dies},
        Plant{"forwarder_not_told", "survival", "waits in vain",
              resting(moving(echo(400, 900), 20ms)), says(owner_not_announced), forwarder_dies},
        Plant{"superseded_not_told", "late_answers", "another's answer by now",
              moving(with_classifiers(echo(2000, 900)), 40ms), says(superseded_not_told),
              classifier_is_cut_off},
        Plant{"dead_after_abort", "resumption", "was not heard again",
              moving(unprepared(echo(400, 900)), 40ms), dead_after_abort, target_dies},
        Plant{"contradiction", "sequence", "contradicts what was sent before",
              moving(lossy(download(3))), contradiction},
        Plant{"hoarder", "memory", "held for nobody", moving(echo(40, 900)), hoarder},
        Plant{"answers_a_stranger", "reset", "an answer to a stranger", moving(echo(40, 900)),
              answers_a_stranger},
        Plant{"syn_follows_tombstone", "stragglers", "a SYN follows a tombstone",
              moving(echo(40, 900)), syn_follows_tombstone}),
    [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace migd::sim
