// The stack alone, with a migration at every cut: after each single packet of an exchange, from the
// SYN on until TIME_WAIT is over, there and back; and after every packet at once. The exchanges are
// those of a client that was written apart. Each says which TCP states it passes through, and fails
// when a cut in one of them is missing; the table of all cuts is printed at the end.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <ostream>
#include <set>
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
  int lost_syn_acks = 0;        // the first ones
  int lost_acks = 0;            // of the client's, likewise
  bool cut_anew = false;        // the window splits segments; what is unsent travels as bytes, and
                                // the target joins them again
  std::set<TcpState> states{};  // that are cut, besides SYN_RCVD
  TcpConfig client{};
  StackPairOptions server{};

  bool clean() const {
    return path.loss + path.reorder + path.duplicate == 0 && lost_syn_acks + lost_acks == 0;
  }
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
  Duration took = 300us;
};

// Less than a tick of anything. Not zero: the checkers judge by the instant.
constexpr Duration kNoTime = 1us;

struct Verdict {
  bool finished = false;
  std::string report;
  std::vector<Violation> violations;
  FlowCounts counts;
  Bytes received;
  std::uint64_t packets = 0;
  int moves = 0;
  std::map<TcpState, int> moves_in;
  Duration took{};
  Instant over_at = kNever;
  std::vector<std::string> view;  // what the client got: each segment with data, SYN or FIN
};

// What the client sees of the server, as far as a move that takes no time must not change it.
class ClientView : public Checker {
 public:
  ClientView() : Checker("view") {}
  void on_segment(const SegmentSeen& seen) override {
    if (!seen.to_client || seen.point != Crossing::Point::kDelivered) return;
    const Segment& s = seen.segment;
    if (s.length() == 0) return;
    std::string line = fmt::format("{}+{} {:x}", s.seq - seen.flow.server_isn.value_or(0),
                                   s.payload.size(), s.flags & (Segment::kSyn | Segment::kFin));
    if (s.has(Segment::kSyn)) {
      line += fmt::format(" mss {} scale {} sack {} timestamps {} window {}", s.mss.value_or(0),
                          s.window_scale.value_or(255), s.sack_permitted, s.timestamps.has_value(),
                          s.window);
    }
    lines_.push_back(std::move(line));
  }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

// How often each state was cut, by exchange.
class Table {
 public:
  void add(const std::string& exchange, const std::map<TcpState, int>& moves_in) {
    for (const auto& [state, times] : moves_in)
      cuts_[exchange][state] += times;
  }
  int cuts(const std::string& exchange, TcpState state) { return cuts_[exchange][state]; }
  std::size_t exchanges() const { return cuts_.size(); }
  int total(TcpState state) {
    int sum = 0;
    for (auto& [exchange, row] : cuts_)
      sum += row[state];
    return sum;
  }
  std::string to_string();

 private:
  std::map<std::string, std::map<TcpState, int>> cuts_;
};

constexpr TcpState kStates[] = {
    TcpState::kSynReceived, TcpState::kEstablished, TcpState::kCloseWait, TcpState::kFinWait1,
    TcpState::kFinWait2,    TcpState::kClosing,     TcpState::kLastAck,   TcpState::kTimeWait};

std::string Table::to_string() {
  std::string out = fmt::format("{:26}", "cuts");
  for (const TcpState state : kStates)
    out += fmt::format("{:>13}", migd::to_string(state));
  for (auto& [exchange, row] : cuts_) {
    out += fmt::format("\n{:26}", exchange);
    for (const TcpState state : kStates)
      out += fmt::format("{:>13}", row[state]);
  }
  out += fmt::format("\n{:26}", "all");
  for (const TcpState state : kStates)
    out += fmt::format("{:>13}", total(state));
  return out;
}

Table& table() {
  static Table the_table;
  return the_table;
}

class Cutter : public NetObserver {
 public:
  Cutter(SimLoop& world, StackPair& pair, const Cut& cut) : world_(world), pair_(pair), cut_(cut) {}
  void on_crossing(const Crossing& crossing) override {
    if (crossing.tcp == nullptr || crossing.point == Crossing::Point::kLost) return;
    ++packets_;  // sent and delivered are two cuts
    last_packet_ = world_.now();
    const bool due = (packets_ == cut_.first && cut_.first > 0) ||
                     (cut_.every > 0 && packets_ >= cut_.first && packets_ % cut_.every == 0);
    if (due) pending_ = true;
    if (!pending_) return;
    world_.schedule(world_.now(), [this] {
      if (!pending_ || pair_.moving()) return;
      const Duration took = cut_.took;
      const bool began = cut_.give_up ? pair_.migrate_and_give_up(took) : pair_.migrate(took);
      if (!began) return;
      pending_ = false;
      if (cut_.back) world_.schedule(world_.now() + took + 1us, [this] { pair_.migrate(); });
    });
  }
  std::uint64_t packets() const { return packets_; }
  void start() {
    if (cut_.rest > Duration::zero()) again();
  }

 private:
  // Less often when nothing has happened for long: TIME_WAIT takes a minute.
  void again() {
    const bool quiet = world_.now() - last_packet_ > 2s;
    const Duration rest = quiet ? std::max<Duration>(cut_.rest, 100ms) : cut_.rest;
    world_.schedule(world_.now() + rest, [this] {
      if (pair_.over()) return;
      pair_.migrate(100us);
      again();
    });
  }

  SimLoop& world_;
  StackPair& pair_;
  Cut cut_;
  std::uint64_t packets_ = 0;
  Instant last_packet_{};
  bool pending_ = false;
};

// Loses the first packets of a kind that a port sends.
void lose_first(SimNet& net, PortId port, int count, std::function<bool(const Segment&)> of_kind) {
  net.set_filter(port, [left = count, of_kind](Bytes packet) mutable -> std::vector<Bytes> {
    const auto segment = decode(packet);
    if (left > 0 && segment && of_kind(*segment) && left-- > 0) return {};
    return {std::move(packet)};
  });
}

void lose_handshake(const Exchange& exchange, SimNet& net, const StackPair& pair,
                    const SimClient& client) {
  for (const int side : {0, 1}) {
    lose_first(net, pair.port(side), side == 0 ? exchange.lost_syn_acks : 0,
               [](const Segment& s) { return s.has(Segment::kSyn); });
  }
  lose_first(net, client.port(), exchange.lost_acks,
             [](const Segment& s) { return !s.has(Segment::kSyn); });
}

Verdict run(const Exchange& exchange, const Cut& cut, std::uint64_t seed,
            const FlowCounts* control) {
  SimLoop world;
  SimNet net(world, seed);
  net.set_defaults(exchange.path);
  Judge judge(net);
  add_invariant_checkers(judge);
  CleanPath& clean = judge.add<CleanPath>();
  ClientView& view = judge.add<ClientView>();
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
  lose_handshake(exchange, net, pair, client);
  Cutter cutter(world, pair, cut);
  net.observe(&cutter);
  client.start();
  cutter.start();

  Verdict verdict;
  verdict.finished =
      world.run_until([&] { return client.finished(); }, Instant(200s)) && !client.failed();
  verdict.took = world.now().time_since_epoch();
  world.run_until([&] { return pair.over(); }, world.now() + 200s);
  verdict.over_at = pair.over_at();
  world.run_for(1s);
  judge.at_end(world.now());
  verdict.violations = judge.violations();
  verdict.counts = clean.counts();
  verdict.received = client.tcp().received();
  verdict.packets = cutter.packets();
  verdict.moves = pair.moves();
  verdict.moves_in = pair.moves_in();
  verdict.view = view.lines();
  verdict.report = fmt::format("{}, cut {} every {}: {}\n", exchange.name, cut.first, cut.every,
                               client.progress());
  for (const auto& [reason, times] : pair.refusals()) {
    verdict.report += fmt::format("  refused {} times: {}\n", times, reason);
  }
  for (const auto& violation : verdict.violations) {
    verdict.report += "  " + violation.to_string() + "\n";
  }
  if (!pair.refusals().empty()) verdict.finished = false;
  if (!pair.over()) verdict.report += "  never over\n";
  return verdict;
}

// Whether it was sound; failures are told with the command that replays them.
bool sound(const Exchange& exchange, const Cut& cut, std::uint64_t seed, const Verdict& verdict) {
  const bool right = verdict.received == ramp(0, exchange.expected);
  const bool good =
      verdict.finished && verdict.violations.empty() && right && verdict.over_at != kNever;
  EXPECT_TRUE(good) << verdict.report << (right ? "" : "  wrong bytes\n")
                    << replay_command(
                           seed, fmt::format("MIGD_SIM_CUT={} MIGD_SIM_EVERY={} MIGD_SIM_REST={} ",
                                             cut.first, cut.every, to_microseconds(cut.rest)));
  return good;
}

class EveryCut : public ::testing::TestWithParam<Exchange> {
 protected:
  // The kinds of cuts: `kind` at each packet, and after so many packets again and again.
  void try_all(const Cut& kind) {
    const Exchange& exchange = GetParam();
    for_each_seed(1, [&](std::uint64_t seed) {
      const Verdict still = run(exchange, {}, seed, nullptr);
      if (!sound(exchange, {}, seed, still)) return;
      const FlowCounts* control = exchange.clean() ? &still.counts : nullptr;
      const auto attempt = [&](std::uint64_t first, std::uint64_t every) {
        Cut cut = kind;
        cut.first = first;
        cut.every = every;
        const Verdict moved = run(exchange, cut, seed, control);
        table().add(exchange.name, moved.moves_in);
        return sound(exchange, cut, seed, moved) && like(still, moved, cut, seed);
      };
      if (from_environment("MIGD_SIM_CUT", 0) != 0) {
        attempt(from_environment("MIGD_SIM_CUT", 0), from_environment("MIGD_SIM_EVERY", 0));
        return;
      }
      const std::uint64_t step = 1 + still.packets / 150;
      for (std::uint64_t first = 2; first <= still.packets; first += step) {
        if (!attempt(first, 0)) return;
      }
      for (const std::uint64_t every : {1, 2, 3, 7, 50}) {
        if (!attempt(2, every)) return;
      }
      expect_states();
    });
  }

  static void expect_states() {
    const Exchange& exchange = GetParam();
    std::set<TcpState> states = exchange.states;
    states.insert(TcpState::kSynReceived);
    for (const TcpState state : states) {
      EXPECT_GT(table().cuts(exchange.name, state), 0)
          << exchange.name << " was never cut in " << to_string(state);
    }
  }

  // Whether the tuple was free again at the same time, and, when moves take no time, whether the
  // client got the very same segments.
  static bool like(const Verdict& still, const Verdict& moved, const Cut& cut, std::uint64_t seed) {
    const Exchange& exchange = GetParam();
    if (!exchange.clean()) return true;
    const Duration drift = 20ms + (cut.every == 0 ? 3 : moved.moves) * cut.took;
    const Duration late = moved.over_at - still.over_at;
    EXPECT_LT(std::max(late, -late), drift) << "over too early or too late, " << moved.report;
    if (cut.took <= kNoTime && exchange.cut_anew) {
      EXPECT_EQ(moved.view.front(), still.view.front()) << moved.report;
      EXPECT_LE(moved.view.size(), still.view.size()) << moved.report;
    } else if (cut.took <= kNoTime) {
      EXPECT_EQ(moved.view, still.view) << moved.report;
    }
    if (!HasFailure()) return true;
    ADD_FAILURE() << replay_command(
        seed, fmt::format("MIGD_SIM_CUT={} MIGD_SIM_EVERY={} ", cut.first, cut.every));
    return false;
  }

  static void TearDownTestSuite();
};

TEST_P(EveryCut, Once) {
  try_all({});
}
TEST_P(EveryCut, ThereAndBack) {
  try_all({.back = true});
}
TEST_P(EveryCut, GivenUp) {
  try_all({.give_up = true});
}
TEST_P(EveryCut, InNoTime) {
  try_all({.took = kNoTime});
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
  const auto ended = [](SimClient& c) { c.send_ramp(15'000).shutdown_write().await_end(); };
  const auto receive_half_closed = [](SimClient& c) { c.shutdown_write().await_end(); };
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
  const auto receive_20 = [](SimClient& c) { c.await_bytes(20'000).shutdown_write().await_end(); };
  const auto stalled_20 = [](SimClient& c) {
    c.stop_reading().sleep(3s).start_reading().await_end().shutdown_write();
  };
  const auto stalled = [](SimClient& c) {
    c.stop_reading().sleep(3s).start_reading().await_bytes(50'000).shutdown_write().await_end();
  };
  const auto abandon = [](SimClient& c) { c.await_end().sleep(70s); };
  const auto leave_late = [](SimClient& c) { c.await_end().sleep(500ms).shutdown_write(); };
  const auto talk_on = [](SimClient& c) {
    c.await_end().send_ramp(20'000).sleep(300ms).send_ramp(3'000).shutdown_write();
  };
  const auto close_at_once = [](SimClient& c) { c.sleep(1500us).shutdown_write().await_end(); };
  const auto idle = [](SimClient& c) {
    c.ping_pong(2, 300).sleep(35s).ping_pong(2, 300).shutdown_write().await_end();
  };
  const auto lossy = [](Exchange& e) {
    e.path = {.delay = 1ms, .loss = 0.04, .duplicate = 0.02, .reorder = 0.08, .reorder_delay = 2ms};
  };
  const auto source = [](Exchange& e) { e.server.source_bytes = 50'000; };
  const auto bare = [](Exchange& e) {
    e.client.timestamps = false;
    e.client.sack = false;
    e.client.window_scale.reset();
  };
  using enum TcpState;
  const auto passive = [](Exchange& e) { e.states = {kEstablished, kLastAck}; };
  const auto first = [](Exchange& e) {
    e.server.source_bytes = 20'000;
    e.server.speaks_first = true;
    e.states = {kFinWait1, kFinWait2, kTimeWait};
  };
  const auto both = [](Exchange& e) {
    e.server.source_bytes = 900;
    e.server.speaks_first = true;
    e.states = {kFinWait1, kClosing, kTimeWait};
  };
  const auto source_later = [](Exchange& e) {
    e.server.source_bytes = 50'000;
    e.server.send_buffer = 10'000;
    e.client.receive_buffer = 8'000;
  };
  const auto pushy = [](Exchange& e) {  // the application does not read for a while
    e.server.reads_from = 900ms;
    e.server.window = 20'000;
  };
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
      make("slow_reader", 30'000, slow,
           [](Exchange& e) {
             e.client.receive_buffer = 6000;
             e.cut_anew = true;
           }),
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
      make("handshake_syn_ack_lost", 7'200, pings, [](Exchange& e) { e.lost_syn_acks = 2; }),
      make("handshake_ack_lost", 20'000, receive_20,
           [&](Exchange& e) {
             e.lost_acks = 1;
             e.server.source_bytes = 20'000;
           }),
      make("server_first", 20'000, leave_late, first),
      make("server_first6_bare", 20'000, leave_late,
           [&](Exchange& e) {
             first(e);
             bare(e);
             e.v6 = true;
           }),
      make("server_first_lossy", 20'000, leave_late,
           [&](Exchange& e) {
             first(e);
             lossy(e);
           }),
      make("server_first_half_closed", 20'000, talk_on, first),
      make("server_hangs_up", 20'000, leave_late,
           [&](Exchange& e) {
             first(e);
             e.server.hangs_up = true;
           }),
      make("server_hangs_up_abandoned", 20'000, abandon,
           [&](Exchange& e) {
             first(e);
             e.server.hangs_up = true;
             e.states = {kFinWait1, kFinWait2};
           }),
      make("simultaneous", 900, close_at_once, both),
      make("simultaneous6_bare", 900, close_at_once,
           [&](Exchange& e) {
             both(e);
             bare(e);
             e.v6 = true;
           }),
      make("simultaneous_lossy", 900, close_at_once,
           [&](Exchange& e) {
             both(e);
             lossy(e);
             e.states = {kFinWait1};
           }),
      make("zero_window_then_end", 20'000, stalled_20,
           [&](Exchange& e) {
             first(e);
             e.client.receive_buffer = 6'000;
             e.states = {kFinWait1, kTimeWait};
             e.cut_anew = true;
           }),
      make("unread_and_ended", 15'000, ended,
           [&](Exchange& e) {
             passive(e);
             pushy(e);
             e.states = {kEstablished, kCloseWait, kLastAck};
           }),
      make("source_half_closed", 50'000, receive_half_closed,
           [&](Exchange& e) {
             source_later(e);
             e.states = {kCloseWait, kLastAck};
           }),
      make("unread", 40'000, half_closed,
           [&](Exchange& e) {
             passive(e);
             pushy(e);
           }),
      make("unread6_lossy", 40'000, half_closed,
           [&](Exchange& e) {
             passive(e);
             pushy(e);
             lossy(e);
             e.v6 = true;
           }),
      make("idle_keepalive", 1'200, idle,
           [&](Exchange& e) {
             passive(e);
             e.server.keepalive = 10s;
           }),
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
             e.cut_anew = true;
             e.client.receive_buffer = 10'000;
           }),
      make("source_offload", 50'000, receive,
           [&](Exchange& e) {
             source(e);
             e.server.link = {.mtu = 1500, .checksum_offload = true, .tcp_gso = true};
           }),
  };
}

// When every exchange was cut: in each state, and not rarely.
void EveryCut::TearDownTestSuite() {
  fmt::print("{}\n", table().to_string());
  if (table().exchanges() < exchanges().size()) return;  // only some were to run
  for (const TcpState state : kStates)
    EXPECT_GT(table().total(state), 50) << to_string(state);
}

INSTANTIATE_TEST_SUITE_P(Stack, Restless, ::testing::ValuesIn(exchanges()),
                         [](const auto& param_info) { return param_info.param.name; });

INSTANTIATE_TEST_SUITE_P(Stack, EveryCut, ::testing::ValuesIn(exchanges()),
                         [](const auto& param_info) { return param_info.param.name; });

}  // namespace
}  // namespace migd::sim
