// The stack alone, with a migration at every cut: after each single packet of an exchange, there
// and back; and after every packet at once. The exchanges are those of a client that was written
// apart.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <functional>
#include <ostream>
#include <string>

#include "tests/sim/check/clean_path.h"
#include "tests/sim/client.h"
#include "tests/sim/seeds.h"
#include "tests/sim/stack_pair.h"
#include "tests/sim/trace.h"

namespace migd::sim {
namespace {

struct Exchange {
  std::string name;
  std::function<void(SimClient&)> script;
  std::size_t expected = 0;  // bytes of the ramp that the client receives
  PathOptions path{.delay = 1ms};
  bool v6 = false;
  TcpConfig client{};
  StackPairOptions server{};

  bool clean() const { return path.loss + path.reorder + path.duplicate == 0; }
};
void PrintTo(const Exchange& exchange, std::ostream* out) {
  *out << exchange.name;
}

struct Cut {
  std::uint64_t first = 0;  // packet after which it moves; 0: never
  std::uint64_t every = 0;  // not zero: again after each so many packets
  bool give_up = false;
  bool back = false;  // and returns at once
  Duration rest{};    // not zero: moves again this long after each move
};

struct Verdict {
  bool finished = false;
  std::string report;
  std::vector<Violation> violations;
  FlowCounts counts;
  Bytes received;
  std::uint64_t packets = 0;
  int moves = 0;
  Duration took{};
};

class Cutter : public NetObserver {
 public:
  Cutter(SimLoop& world, StackPair& pair, const Cut& cut) : world_(world), pair_(pair), cut_(cut) {}
  void on_crossing(const Crossing& crossing) override {
    if (crossing.tcp == nullptr || crossing.point == Crossing::Point::kLost) return;
    ++packets_;  // sent and delivered are two cuts
    const bool due = packets_ == cut_.first ||
                     (cut_.every > 0 && packets_ >= cut_.first && packets_ % cut_.every == 0);
    if (due) pending_ = true;
    if (!pending_) return;
    world_.schedule(world_.now(), [this] {
      if (!pending_ || pair_.moving()) return;
      const bool began = cut_.give_up ? pair_.migrate_and_give_up() : pair_.migrate();
      if (!began) return;
      pending_ = false;
      if (cut_.back) world_.schedule(world_.now() + 301us, [this] { pair_.migrate(); });
    });
  }
  std::uint64_t packets() const { return packets_; }
  void start() {
    if (cut_.rest > Duration::zero()) again();
  }

 private:
  void again() {
    world_.schedule(world_.now() + cut_.rest, [this] {
      if (pair_.over()) return;
      pair_.migrate(100us);
      again();
    });
  }

  SimLoop& world_;
  StackPair& pair_;
  Cut cut_;
  std::uint64_t packets_ = 0;
  bool pending_ = false;
};

Verdict run(const Exchange& exchange, const Cut& cut, std::uint64_t seed,
            const FlowCounts* control) {
  SimLoop world;
  SimNet net(world, seed);
  net.set_defaults(exchange.path);
  Judge judge(net);
  add_invariant_checkers(judge);
  CleanPath& clean = judge.add<CleanPath>();
  if (control != nullptr) clean.set_control(*control);
  Trace trace(net);
  if (trace.wanted()) net.observe(&trace);
  net.observe(&judge);

  StackPairOptions options = exchange.server;
  options.seed = seed;
  options.vip = *Endpoint::parse(exchange.v6 ? "[fd77::80]:80" : "10.77.0.80:80");
  StackPair pair(world, net, judge, options);
  TcpConfig config = exchange.client;
  config.local = *Endpoint::parse(exchange.v6 ? "[fd77::c1]:40000" : "10.77.9.1:40000");
  config.remote = options.vip;
  config.initial_sequence = static_cast<std::uint32_t>(seed * 0x3fffff01u);
  SimClient client(net, world, "client", config);
  exchange.script(client);
  Cutter cutter(world, pair, cut);
  net.observe(&cutter);
  client.start();
  cutter.start();

  Verdict verdict;
  verdict.finished =
      world.run_until([&] { return client.finished(); }, Instant(60s)) && !client.failed();
  world.run_for(2s);
  judge.at_end(world.now());
  verdict.violations = judge.violations();
  verdict.counts = clean.counts();
  verdict.received = client.tcp().received();
  verdict.packets = cutter.packets();
  verdict.moves = pair.moves();
  verdict.report = fmt::format("{}, cut {} every {}: {}\n", exchange.name, cut.first, cut.every,
                               client.progress());
  for (const auto& [reason, times] : pair.refusals()) {
    verdict.report += fmt::format("  refused {} times: {}\n", times, reason);
  }
  for (const auto& violation : verdict.violations) {
    verdict.report += "  " + violation.to_string() + "\n";
  }
  if (!pair.refusals().empty()) verdict.finished = false;
  return verdict;
}

// Whether it was sound; failures are told with the command that replays them.
bool sound(const Exchange& exchange, const Cut& cut, std::uint64_t seed, const Verdict& verdict) {
  const bool right = verdict.received == ramp(0, exchange.expected);
  const bool good = verdict.finished && verdict.violations.empty() && right;
  EXPECT_TRUE(good) << verdict.report << (right ? "" : "  wrong bytes\n")
                    << replay_command(
                           seed, fmt::format("MIGD_SIM_CUT={} MIGD_SIM_EVERY={} MIGD_SIM_REST={} ",
                                             cut.first, cut.every, to_microseconds(cut.rest)));
  return good;
}

class EveryCut : public ::testing::TestWithParam<Exchange> {
 protected:
  void try_all(bool give_up, bool back) {
    const Exchange& exchange = GetParam();
    for_each_seed(1, [&](std::uint64_t seed) {
      const Verdict still = run(exchange, {}, seed, nullptr);
      if (!sound(exchange, {}, seed, still)) return;
      const FlowCounts* control = exchange.clean() ? &still.counts : nullptr;
      const auto attempt = [&](Cut cut) {
        cut.give_up = give_up;
        cut.back = back;
        return sound(exchange, cut, seed, run(exchange, cut, seed, control));
      };
      if (from_environment("MIGD_SIM_CUT", 0) != 0) {
        attempt({.first = from_environment("MIGD_SIM_CUT", 0),
                 .every = from_environment("MIGD_SIM_EVERY", 0)});
        return;
      }
      const std::uint64_t step = 1 + still.packets / 150;
      for (std::uint64_t first = 4; first <= still.packets; first += step) {
        if (!attempt({.first = first})) return;
      }
      for (const std::uint64_t every : {1, 2, 3, 7, 50}) {
        if (!attempt({.first = 4, .every = every})) return;
      }
    });
  }
};

TEST_P(EveryCut, Once) {
  try_all(false, false);
}
TEST_P(EveryCut, ThereAndBack) {
  try_all(false, true);
}
TEST_P(EveryCut, GivenUp) {
  try_all(true, false);
}

// Timers must not begin anew with each move, nor time stand still: a connection that never rests,
// on a lossy path, gets there nearly as fast as one that stays.
class Restless : public ::testing::TestWithParam<Exchange> {};

TEST_P(Restless, TimersGoOn) {
  const Exchange& exchange = GetParam();
  for_each_seed(3, [&](std::uint64_t seed) {
    const Verdict still = run(exchange, {}, seed, nullptr);
    const FlowCounts* control = exchange.clean() ? &still.counts : nullptr;
    for (const Duration rest : {150us, 950us, 10'000us, 50'000us}) {
      const auto chosen = std::chrono::microseconds(from_environment("MIGD_SIM_REST", 0));
      if (chosen != Duration::zero() && chosen != rest) continue;
      const Cut cut{.rest = rest};
      const Verdict moved = run(exchange, cut, seed, control);
      if (!sound(exchange, cut, seed, moved)) return;
      EXPECT_LT(moved.took, 3 * still.took + 2s)
          << exchange.name << ", moved each " << to_microseconds(rest) << " us, "
          << replay_command(seed);
    }
  });
}

Exchange make(std::string name, std::size_t expected, std::function<void(SimClient&)> script,
              const std::function<void(Exchange&)>& change = {}) {
  Exchange exchange{.name = std::move(name), .script = std::move(script), .expected = expected};
  if (change) change(exchange);
  return exchange;
}

std::vector<Exchange> exchanges() {
  const auto bulk = [](SimClient& c) {
    c.send_ramp(60'000).await_bytes(60'000).shutdown_write().await_end();
  };
  const auto half_closed = [](SimClient& c) { c.send_ramp(40'000).shutdown_write().await_end(); };
  const auto pings = [](SimClient& c) { c.ping_pong(12, 600).shutdown_write().await_end(); };
  const auto slow = [](SimClient& c) {
    c.stop_reading().send_ramp(30'000).sleep(700ms).read_slowly(20'000, 900, 3ms).start_reading();
    c.await_bytes(30'000).shutdown_write().await_end();
  };
  const auto sink = [](SimClient& c) {  // the server says nothing but ACKs
    for (int i = 0; i < 8; ++i)
      c.send_ramp(1500 * i + 700).sleep(i % 2 == 0 ? 60ms : 400ms);
    c.shutdown_write().await_end();
  };
  const auto receive = [](SimClient& c) { c.await_bytes(50'000).shutdown_write().await_end(); };
  const auto stalled = [](SimClient& c) {
    c.stop_reading().sleep(3s).start_reading().await_bytes(50'000).shutdown_write().await_end();
  };
  const auto lossy = [](Exchange& e) {
    e.path = {.delay = 1ms, .loss = 0.04, .duplicate = 0.02, .reorder = 0.08, .reorder_delay = 2ms};
  };
  const auto source = [](Exchange& e) { e.server.source_bytes = 50'000; };
  return {
      make("bulk", 60'000, bulk),
      make("bulk6", 60'000, bulk, [](Exchange& e) { e.v6 = true; }),
      make("bulk_bare", 60'000, bulk,
           [](Exchange& e) {
             e.client.timestamps = false;
             e.client.sack = false;
             e.client.window_scale.reset();
           }),
      make("bulk_lossy", 60'000, bulk, lossy),
      make("bulk_lossy_no_sack", 60'000, bulk,
           [&](Exchange& e) {
             lossy(e);
             e.client.sack = false;
           }),
      make("bulk_lossy_no_timestamps", 60'000, bulk,
           [&](Exchange& e) {
             lossy(e);
             e.client.timestamps = false;
           }),
      make("half_closed", 40'000, half_closed),
      make("half_closed_lossy", 40'000, half_closed, lossy),
      make("pings", 7'200, pings),
      make("pings_immediate_acks", 7'200, pings,
           [](Exchange& e) { e.client.delayed_ack = Duration::zero(); }),
      make("pings_lossy", 7'200, pings, lossy),
      make("slow_reader", 30'000, slow, [](Exchange& e) { e.client.receive_buffer = 6000; }),
      make("slow_reader_lossy", 30'000, slow,
           [&](Exchange& e) {
             lossy(e);
             e.client.receive_buffer = 6000;
           }),
      make("small_windows", 60'000, bulk,
           [](Exchange& e) {
             e.client.receive_buffer = 3000;
             e.server.window = 4096;
             e.server.send_buffer = 8192;
           }),
      make(
          "tiny_mss", 6'000,
          [](SimClient& c) { c.send_ramp(6'000).await_bytes(6'000).shutdown_write().await_end(); },
          [](Exchange& e) { e.client.mss = 100; }),
      make("sink", 1, sink, [](Exchange& e) { e.server.source_bytes = 1; }),
      make("sink_lossy", 1, sink,
           [&](Exchange& e) {
             lossy(e);
             e.server.source_bytes = 1;
           }),
      make("source", 50'000, receive, source),
      make("source_lossy", 50'000, receive,
           [&](Exchange& e) {
             source(e);
             lossy(e);
           }),
      make("source_zero_window", 50'000, stalled,
           [&](Exchange& e) {
             source(e);
             e.client.receive_buffer = 10'000;
           }),
      make("source_offload", 50'000, receive,
           [&](Exchange& e) {
             source(e);
             e.server.link = {.mtu = 1500, .checksum_offload = true, .tcp_gso = true};
           }),
  };
}

INSTANTIATE_TEST_SUITE_P(Stack, Restless, ::testing::ValuesIn(exchanges()),
                         [](const auto& param_info) { return param_info.param.name; });

INSTANTIATE_TEST_SUITE_P(Stack, EveryCut, ::testing::ValuesIn(exchanges()),
                         [](const auto& param_info) { return param_info.param.name; });

}  // namespace
}  // namespace migd::sim
