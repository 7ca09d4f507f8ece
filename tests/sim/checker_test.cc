// The checkers themselves, on a toy cluster: silent on a sound run, and for each planted bug
// exactly the checker that is made for it speaks.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <functional>
#include <map>
#include <ostream>
#include <set>
#include <string>

#include "tests/sim/bugs.h"
#include "tests/sim/check/checker.h"
#include "tests/sim/check/clean_path.h"
#include "tests/sim/toy_cluster.h"

namespace migd::sim {
namespace {

struct Plant {
  std::string name;
  std::string checker;  // that must speak; empty: none
  std::string reason;   // a part of what it must say first: it is not to be right by accident
  std::function<void(ToyCluster&)> bugs = [](ToyCluster&) {};
  std::function<void(Segment&)> rewrite;  // of what the second node sends
  bool lossy = false;
  bool give_up = false;
};

void PrintTo(const Plant& plant, std::ostream* out) {
  *out << plant.name;
}

struct Verdict {
  std::set<std::string> speakers;
  std::map<std::string, std::string> first;  // of each speaker
  std::string report;
  FlowCounts counts;
  int moves = 0;
  bool streams_equal = false;
};

Verdict run(const Plant& plant, bool migrate, const FlowCounts* control, std::uint64_t seed) {
  SimLoop world;
  SimNet net(world, seed);
  PathOptions path{.delay = 1ms, .jitter = 100us};
  if (plant.lossy) path.loss = 0.05;
  net.set_defaults(path);
  Judge judge(net);
  add_invariant_checkers(judge);
  CleanPath& clean = judge.add<CleanPath>();
  if (control != nullptr && !plant.lossy) clean.set_control(*control);
  net.observe(&judge);

  TcpConfig config;
  config.local = *Endpoint::parse("10.77.9.1:40000");
  config.remote = *Endpoint::parse("10.77.0.80:80");
  config.receive_buffer = 64u << 10;
  ToyCluster cluster(world, net, judge, config);
  plant.bugs(cluster);
  if (plant.rewrite) {
    const auto moved = [&cluster] { return cluster.moves() > 1; };
    net.set_filter(cluster.port(1), rewriting(cluster.vip(), moved, plant.rewrite));
  }
  SimClient client(net, world, "client", config);
  client.send_ramp(200'000).await_bytes(200'000).ping_pong(20, 700).shutdown_write().await_end();
  client.start();
  SimRng rng = SimRng::split(seed, 99);
  std::function<void()> mover = [&] {
    if (client.finished()) return;
    if (!cluster.moving() && cluster.tcp().state() == Tcp::State::kOpen) {
      plant.give_up ? cluster.migrate_and_give_up() : cluster.migrate();
    }
    world.schedule(world.now() + Duration(500us) + Duration(rng.below(5'000'000)), mover);
  };
  if (migrate) world.schedule(Instant(5ms), mover);
  world.run_until([&] { return client.finished(); }, Instant(60s));
  world.run_for(6s);
  judge.at_end(world.now());

  Verdict result;
  for (const Violation& violation : judge.violations()) {
    result.speakers.insert(violation.checker);
    result.first.try_emplace(violation.checker, violation.what);
    result.report += violation.to_string() + "\n";
  }
  result.counts = clean.counts();
  result.moves = cluster.moves();
  result.streams_equal =
      client.tcp().received() == ramp(0, 214'000) && cluster.tcp().received() == ramp(0, 214'000);
  return result;
}

class Planted : public ::testing::TestWithParam<Plant> {};

TEST_P(Planted, ExactlyTheRightCheckerSpeaks) {
  const Plant& plant = GetParam();
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const Plant sound{
        .name = "sound", .checker = "", .reason = "", .rewrite = {}, .lossy = plant.lossy};
    const Verdict control = run(sound, false, nullptr, seed);
    EXPECT_EQ(control.speakers, std::set<std::string>{}) << control.report;
    EXPECT_TRUE(control.streams_equal);
    const Verdict moved = run(sound, true, &control.counts, seed);
    EXPECT_GT(moved.moves, 5);
    EXPECT_EQ(moved.speakers, std::set<std::string>{}) << moved.report;
    EXPECT_TRUE(moved.streams_equal);

    Verdict broken = run(plant, true, &control.counts, seed);
    // What a client answers to a broken segment is a consequence, not another bug.
    if (plant.checker != "clean_path") broken.speakers.erase("clean_path");
    std::set<std::string> expected;
    if (!plant.checker.empty()) expected.insert(plant.checker);
    EXPECT_EQ(broken.speakers, expected) << "seed " << seed << "\n" << broken.report;
    EXPECT_NE(broken.first[plant.checker].find(plant.reason), std::string::npos) << broken.report;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Bugs, Planted,
    ::testing::Values(
        Plant{.name = "timestamp_back",
              .checker = "timestamps",
              .reason = "TSval goes back",
              .rewrite = bugs::timestamp_back},
        Plant{.name = "no_timestamps",
              .checker = "timestamps",
              .reason = "negotiated, but missing",
              .rewrite = bugs::no_timestamps},
        Plant{.name = "shrunk_window",
              .checker = "window",
              .reason = "the right edge shrinks",
              .rewrite = bugs::shrunk_window},
        Plant{.name = "ack_back",
              .checker = "ack",
              .reason = "ACK goes back",
              .rewrite = bugs::ack_back(7)},
        Plant{.name = "reset", .checker = "reset", .reason = "RST", .rewrite = bugs::reset},
        Plant{.name = "sack_withheld",
              .checker = "sack",
              .reason = "does not say so any more",
              .rewrite = bugs::sack_withheld,
              .lossy = true},
        Plant{.name = "dropped_early_packet",
              .checker = "clean_path",
              .reason = "0 by server, 1 by client",
              .bugs = [](ToyCluster& c) { c.bugs.drop_first_held = true; },
              .rewrite = {}},
        Plant{.name = "lost_out_of_order",
              .checker = "sack",
              .reason = "does not say so any more",
              .bugs = [](ToyCluster& c) { c.bugs.lose_out_of_order = true; },
              .rewrite = {},
              .lossy = true},
        Plant{.name = "two_owners",
              .checker = "one_owner",
              .reason = " granted epoch ",
              .bugs = [](ToyCluster& c) { c.bugs.two_owners = true; },
              .rewrite = {},
              .lossy = true},
        Plant{.name = "talking_source",
              .checker = "silent_source",
              .reason = "although it froze",
              .bugs = [](ToyCluster& c) { c.bugs.talking_source = true; },
              .rewrite = {},
              .lossy = true},
        Plant{.name = "grant_forgotten",
              .checker = "one_owner",
              .reason = "active without a GRANT",
              .bugs = [](ToyCluster& c) { c.bugs.grant_forgotten = true; },
              .rewrite = {}},
        Plant{.name = "dead_after_abort",
              .checker = "resumption",
              .reason = "was not heard again",
              .bugs = [](ToyCluster& c) { c.bugs.dead_after_abort = true; },
              .rewrite = {},
              .give_up = true},
        Plant{.name = "sound_abort", .checker = "", .reason = "", .rewrite = {}, .give_up = true}),
    [](const auto& param_info) { return param_info.param.name; });

}  // namespace
}  // namespace migd::sim
