// Bad snapshots: each rule is broken alone, in every situation where it can be, and refused by
// name.
#include "stack/snapshot_rules.h"

#include <fstream>
#include <set>

#include "base/limits.h"
#include "tests/stack/situations.h"

namespace migd::test {
namespace {

struct Break {
  std::string rule;                       // a part of its name
  std::function<bool(TcpSnapshot&)> how;  // false: not possible with this snapshot
};

template <typename How>
Break breaking(std::string rule, How how) {
  return {std::move(rule), [how](TcpSnapshot& s) {
            if constexpr (std::is_void_v<std::invoke_result_t<How, TcpSnapshot&>>) {
              how(s);
              return true;
            } else {
              return how(s);
            }
          }};
}

bool waiting(const TcpSnapshot& s) {
  return !s.send_data.empty();
}

std::vector<Break> breaks() {
  return {
      breaking("one family",
               [](TcpSnapshot& s) { s.tuple.peer.address = *IpAddress::parse("fd77::9"); }),
      breaking("local address is a unicast",
               [](TcpSnapshot& s) { s.tuple.local.address = IpAddress(); }),
      breaking("peer's address is a unicast",
               [](TcpSnapshot& s) { s.tuple.peer.address = *IpAddress::parse("224.0.0.1"); }),
      breaking("ports", [](TcpSnapshot& s) { s.tuple.local.port = 0; }),
      breaking("ports", [](TcpSnapshot& s) { s.tuple.peer.port = 0; }),
      breaking("scales are at most 14", [](TcpSnapshot& s) { s.send_scale = 15; }),
      breaking("scales are at most 14", [](TcpSnapshot& s) { s.receive_scale = 255; }),
      breaking("nothing is scaled",
               [](TcpSnapshot& s) {
                 if (!s.window_scaling) return false;
                 s.window_scaling = false;
                 return true;
               }),
      breaking("announced MSS", [](TcpSnapshot& s) { s.announced_mss = 87; }),
      breaking("path's MTU is one", [](TcpSnapshot& s) { s.path_mtu = 551; }),
      breaking("age of the path's MTU", [](TcpSnapshot& s) { s.path_mtu_age = -1ns; }),
      breaking("waits for an acknowledgment has waited",
               [](TcpSnapshot& s) { s.unacknowledged_for = -1ns; }),
      breaking("last acknowledgment sent",
               [](TcpSnapshot& s) {
                 s.ts_last_ack_sent = s.receive_next + 1;
                 return s.timestamps;
               }),
      breaking("last acknowledgment sent",
               [](TcpSnapshot& s) {
                 s.ts_last_ack_sent = s.receive_next - (s.receive_window_limit + (65u << 10));
                 return s.timestamps;
               }),
      breaking("age of TS.Recent", [](TcpSnapshot& s) { s.ts_recent_age = -1ns; }),
      breaking("part of a millisecond", [](TcpSnapshot& s) { s.ts_clock_part = 1ms; }),
      breaking("fits the send buffer",
               [](TcpSnapshot& s) { s.send_data.resize(s.send_buffer_limit + 1); }),
      breaking("in flight is part",
               [](TcpSnapshot& s) {
                 s.send_in_flight = static_cast<std::uint32_t>(s.send_data.size()) + 1;
               }),
      breaking("send buffer is within",
               [](TcpSnapshot& s) { s.send_buffer_limit = limits::kSendBufferMax + 1; }),
      breaking("FIN is queued in the states",
               [](TcpSnapshot& s) {
                 if (s.fin_sequence) {
                   s.fin_sequence.reset();
                 } else {
                   s.fin_sequence =
                       s.send_unacknowledged + static_cast<std::uint32_t>(s.send_data.size());
                 }
               }),
      breaking("FIN is queued in the states",
               [](TcpSnapshot& s) { s.write_closed = !s.write_closed; }),
      breaking("FIN",
               [](TcpSnapshot& s) {
                 if (!s.fin_sequence) return false;
                 *s.fin_sequence += 5;
                 return true;
               }),
      breaking("FIN is acknowledged in FIN_WAIT_2",
               [](TcpSnapshot& s) {
                 if (s.state != TcpState::kFinWait1) return false;
                 s.state = TcpState::kFinWait2;
                 return true;
               }),
      breaking("nothing is left to send",
               [](TcpSnapshot& s) {
                 s.send_data.resize(1);
                 return fin_acknowledged(s);
               }),
      breaking("SND.NXT is SND.UNA", [](TcpSnapshot& s) { s.send_next += 7; }),
      breaking("before the handshake is complete",
               [](TcpSnapshot& s) {
                 if (s.state != TcpState::kSynReceived) return false;
                 s.send_data.resize(10);
                 return true;
               }),
      breaking("send window is what 16",
               [](TcpSnapshot& s) {
                 s.send_window = s.send_window_max = (0xffffu << s.send_scale) + 1;
               }),
      breaking("largest send window",
               [](TcpSnapshot& s) { s.send_window_max = (0xffffu << s.send_scale) + 1; }),
      breaking("largest send window",
               [](TcpSnapshot& s) {
                 if (s.send_window == 0) return false;
                 s.send_window_max = s.send_window - 1;
                 return true;
               }),
      breaking("MSS", [](TcpSnapshot& s) { s.mss = 87; }),
      breaking("receive window is within",
               [](TcpSnapshot& s) { s.receive_window_limit = limits::kWindowMax + 1; }),
      breaking("receive window is within", [](TcpSnapshot& s) { s.receive_window_limit = 0; }),
      breaking("can be said with its scale",
               [](TcpSnapshot& s) {
                 s.receive_window_limit =
                     std::min<std::uint32_t>((0xffffu << s.receive_scale) + 1, limits::kWindowMax);
                 return s.receive_window_limit > 0xffffu << s.receive_scale;
               }),
      breaking("unread data fits",
               [](TcpSnapshot& s) {
                 if (s.state == TcpState::kSynReceived) return false;
                 s.unread.resize(s.receive_window_limit + (64u << 10) + 1);
                 return true;
               }),
      breaking("peer's FIN was received",
               [](TcpSnapshot& s) { s.peer_fin_received = !s.peer_fin_received; }),
      breaking("nothing is unread before",
               [](TcpSnapshot& s) {
                 if (s.state != TcpState::kSynReceived) return false;
                 s.unread.resize(1);
                 return true;
               }),
      breaking("right edge is within a window",
               [](TcpSnapshot& s) { s.announced_right_edge = s.receive_next + (1u << 30); }),
      breaking("right edge is within a window",
               [](TcpSnapshot& s) { s.announced_right_edge = s.receive_next - (1u << 30); }),
      breaking("announced window and the unread",
               [](TcpSnapshot& s) {
                 if (s.state == TcpState::kSynReceived) return false;
                 s.unread.resize(s.receive_window_limit);
                 s.announced_right_edge = s.receive_next + s.receive_window_limit;
                 return s.receive_window_limit > (65u << 10);
               }),
      breaking("out-of-order",
               [](TcpSnapshot& s) {
                 s.out_of_order.push_back({s.receive_next, Bytes(10), false});
               }),
      breaking("out-of-order",
               [](TcpSnapshot& s) {
                 s.out_of_order.push_back({s.receive_next + 10, Bytes(), false});
               }),
      breaking("out-of-order",
               [](TcpSnapshot& s) {
                 s.out_of_order.push_back({s.receive_next - 10, Bytes(5), false});
               }),
      breaking("out-of-order",
               [](TcpSnapshot& s) {
                 s.out_of_order.push_back(
                     {s.receive_next + s.receive_window_limit + (64u << 10), Bytes(1), false});
               }),
      breaking("out-of-order",
               [](TcpSnapshot& s) {
                 s.out_of_order = {{s.receive_next + 10, Bytes(10), false},
                                   {s.receive_next + 15, Bytes(10), false}};
               }),
      breaking("out-of-order",
               [](TcpSnapshot& s) {
                 s.out_of_order = {{s.receive_next + 10, Bytes(10), true},
                                   {s.receive_next + 30, Bytes(10), false}};
               }),
      breaking("out-of-order data is only there after the handshake",
               [](TcpSnapshot& s) {
                 s.out_of_order = {{s.receive_next + 10, Bytes(10), false}};
                 return s.state == TcpState::kSynReceived;
               }),
      breaking("more out-of-order ranges",
               [](TcpSnapshot& s) {
                 for (std::uint32_t i = 0; i <= out_of_order_max(s.receive_window_limit); ++i)
                   s.out_of_order.push_back({s.receive_next + 2 * i, Bytes(1), false});
               }),
      breaking("SACK block",
               [](TcpSnapshot& s) {
                 s.sack_blocks.push_back({s.receive_next + 1, s.receive_next + 2});
               }),
      breaking("SACK block",
               [](TcpSnapshot& s) {
                 s.sack_blocks.push_back({s.receive_next + 2, s.receive_next + 2});
               }),
      breaking("SACK block",
               [](TcpSnapshot& s) {
                 if (s.out_of_order.empty()) return false;
                 const auto& range = s.out_of_order[0];
                 s.sack_blocks.assign(
                     1, {range.first,
                         range.first + static_cast<std::uint32_t>(range.data.size()) + 1});
                 return true;
               }),
      breaking("SACK blocks",
               [](TcpSnapshot& s) {
                 if (s.out_of_order.empty() || s.out_of_order[0].data.empty()) return false;
                 s.sack_blocks.assign(5, {s.out_of_order[0].first, s.out_of_order[0].first + 1});
                 return true;
               }),
      breaking("SACK",
               [](TcpSnapshot& s) {
                 if (s.sack_blocks.empty()) return false;
                 s.sack = false;
                 return true;
               }),
      breaking("round trip", [](TcpSnapshot& s) { s.srtt = -1ns; }),
      breaking("round trip", [](TcpSnapshot& s) { s.rttvar = 1h; }),
      breaking("time-out is between", [](TcpSnapshot& s) { s.rto = 0ns; }),
      breaking("time-out is between", [](TcpSnapshot& s) { s.rto = 61s; }),
      breaking("timer began", [](TcpSnapshot& s) { s.timer_waited = -1ns; }),
      breaking("given up retransmitting", [](TcpSnapshot& s) { s.retransmissions = 16; }),
      breaking("congestion window", [](TcpSnapshot& s) { s.cwnd = 0; }),
      breaking("congestion window", [](TcpSnapshot& s) { s.cwnd = (1u << 30) + 1; }),
      breaking("slow start", [](TcpSnapshot& s) { s.ssthresh = 0; }),
      breaking("acknowledged bytes", [](TcpSnapshot& s) { s.cwnd_bytes_acked = (1u << 30) + 1; }),
      breaking("recovery ends",
               [](TcpSnapshot& s) {
                 s.in_rto_recovery = true;
                 s.in_fast_recovery = false;
                 s.recovery_end = s.send_next + 1;
               }),
      breaking("one kind of recovery",
               [](TcpSnapshot& s) { s.in_rto_recovery = s.in_fast_recovery = true; }),
      breaking("range in flight is not empty",
               [](TcpSnapshot& s) { s.sent.insert(s.sent.begin(), SentRange{}); }),
      breaking(
          "is not lost",
          [](TcpSnapshot& s) { s.sent.push_back({.length = 1, .sacked = true, .lost = true}); }),
      breaking("is not lost",
               [](TcpSnapshot& s) {
                 if (s.sack) return false;
                 s.sent.push_back({.length = 1, .sacked = true});
                 return true;
               }),
      breaking("sent again was lost",
               [](TcpSnapshot& s) { s.sent.push_back({.length = 1, .resent = true}); }),
      breaking("in flight was sent in the past",
               [](TcpSnapshot& s) { s.sent.push_back({.length = 1, .sent_ago = -1ns}); }),
      breaking("ranges in flight",
               [](TcpSnapshot& s) {
                 s.sent.push_back({.length = 1u + static_cast<std::uint32_t>(
                                                      s.send_next - s.send_unacknowledged)});
               }),
      breaking("more ranges in flight",
               [](TcpSnapshot& s) { s.sent.assign(kSentRangesMax + 1, {.length = 1}); }),
      breaking("times of loss recovery", [](TcpSnapshot& s) { s.recovery.rack_rtt = -1ns; }),
      breaking("times of loss recovery", [](TcpSnapshot& s) { s.recovery.rack_sent_ago = -1ns; }),
      breaking("times of loss recovery", [](TcpSnapshot& s) { s.recovery.min_rtt_age = -1ns; }),
      breaking("times of loss recovery",
               [](TcpSnapshot& s) { s.recovery.send_idle = Duration::max(); }),
      breaking("times of loss recovery", [](TcpSnapshot& s) { s.congestion.epoch_ago = -1ns; }),
      breaking("least round trips", [](TcpSnapshot& s) { s.recovery.min_rtt = -1ns; }),
      breaking("least round trips", [](TcpSnapshot& s) { s.recovery.min_rtt_previous = 1h; }),
      breaking("least round trips", [](TcpSnapshot& s) { s.congestion.round_rtt = 1h; }),
      breaking("least round trips", [](TcpSnapshot& s) { s.congestion.round_rtt_last = -1ns; }),
      breaking("least round trips", [](TcpSnapshot& s) { s.congestion.slow_start_rtt = -1ns; }),
      breaking("reordering window", [](TcpSnapshot& s) { s.recovery.reordering_multiplier = 0; }),
      breaking("F-RTO", [](TcpSnapshot& s) { s.recovery.frto_step = 3; }),
      breaking("probe ends within", [](TcpSnapshot& s) { s.recovery.probe_end = s.send_next + 1; }),
      breaking("windows to go back", [](TcpSnapshot& s) { s.recovery.undo_cwnd = ~0u; }),
      breaking("windows to go back", [](TcpSnapshot& s) { s.recovery.undo_ssthresh = ~0u; }),
      breaking("reduction's sums", [](TcpSnapshot& s) { s.recovery.prr_sent = ~0u; }),
      breaking("reduction's sums", [](TcpSnapshot& s) { s.recovery.prr_delivered = ~0u; }),
      breaking("reduction's sums", [](TcpSnapshot& s) { s.recovery.prr_flight = ~0u; }),
      breaking("reduction's sums", [](TcpSnapshot& s) { s.recovery.undo_unproven = ~0u; }),
      breaking("windows of the curve", [](TcpSnapshot& s) { s.congestion.epoch_cwnd = ~0u; }),
      breaking("windows of the curve", [](TcpSnapshot& s) { s.congestion.cwnd_max = ~0u; }),
      breaking("windows of the curve", [](TcpSnapshot& s) { s.congestion.cwnd_prior = ~0u; }),
      breaking("windows of the curve", [](TcpSnapshot& s) { s.congestion.cwnd_reno = ~0u; }),
      breaking("windows of the curve", [](TcpSnapshot& s) { s.congestion.undo_cwnd_max = ~0u; }),
      breaking("probed only",
               [](TcpSnapshot& s) {
                 if (waiting(s) || s.fin_sequence) return false;
                 s.persist_backoff = 1;
                 return true;
               }),
      breaking("probed only while nothing is in flight",
               [](TcpSnapshot& s) {
                 if (s.send_in_flight < 2) return false;
                 s.persist_backoff = 1;
                 return true;
               }),
      breaking("given up probing", [](TcpSnapshot& s) { s.persist_probes = 16; }),
      breaking("keep-alive times", [](TcpSnapshot& s) { s.keepalive_idle = -1s; }),
      breaking("keep-alive times", [](TcpSnapshot& s) { s.keepalive_interval = 24h * 60; }),
      breaking("keep-alive probes", [](TcpSnapshot& s) { s.keepalive_count = 256; }),
      breaking("keep-alive",
               [](TcpSnapshot& s) {
                 s.keepalive = true;
                 s.keepalive_count = 0;
                 s.keepalive_probes_sent = 0;
               }),
      breaking("keep-alive has times",
               [](TcpSnapshot& s) {
                 s.keepalive = true;
                 s.keepalive_idle = 1ms - 1ns;
               }),
      breaking("keep-alive has times",
               [](TcpSnapshot& s) {
                 s.keepalive = true;
                 s.keepalive_interval = 0s;
               }),
      breaking("idle time", [](TcpSnapshot& s) { s.idle = -1s; }),
      breaking("time in the state", [](TcpSnapshot& s) { s.time_in_state = Duration::min(); }),
      breaking("age lies", [](TcpSnapshot& s) { s.age = Duration::max(); }),
      breaking("older than the connection",
               [](TcpSnapshot& s) {
                 s.idle += 1s;
                 s.age = s.idle - 1ns;
               }),
      breaking("a SYN/ACK announces a window",
               [](TcpSnapshot& s) {
                 if (s.state != TcpState::kSynReceived) return false;
                 s.announced_right_edge = s.receive_next - 1;
                 return true;
               }),
      breaking("SYN/ACK has not been given up",
               [](TcpSnapshot& s) {
                 if (s.state != TcpState::kSynReceived) return false;
                 s.retransmissions = 6;
                 return true;
               }),
      breaking("hop limit", [](TcpSnapshot& s) { s.hop_limit = 0; }),
      breaking("closed reading",
               [](TcpSnapshot& s) {
                 if (s.write_closed) return false;
                 s.read_closed = true;
                 return true;
               }),
  };
}

class SnapshotRulesTest : public ::testing::TestWithParam<Situation> {};

INSTANTIATE_TEST_SUITE_P(All, SnapshotRulesTest, ::testing::ValuesIn(situations()),
                         [](const auto& test) { return test.param.name; });

TEST_P(SnapshotRulesTest, EachIsRefusedByName) {
  TestBed bed(Moves::kNever, GetParam().peer, GetParam().options);
  GetParam().arrive(bed);
  FrozenConnection frozen = bed.a.stack->freeze(*bed.find(), bed.now);
  const TcpSnapshot good = bed.a.stack->capture(frozen, bed.now);
  const Tenure tenure{bed.find()->id(), Epoch{2}};
  EXPECT_TRUE(check_snapshot(good));
  for (const Break& rule : breaks()) {
    TcpSnapshot bad = good;
    if (!rule.how(bad)) continue;
    const auto checked = check_snapshot(bad);
    ASSERT_FALSE(checked) << rule.rule;
    EXPECT_EQ(checked.error().code, ErrorCode::kProtocol);
    EXPECT_NE(checked.error().text.find(rule.rule), std::string::npos)
        << "'" << checked.error().text << "' instead of '" << rule.rule << "'";
    EXPECT_FALSE(bed.b.stack->attach(bad, tenure, "web", {}, bed.now));
  }
  EXPECT_EQ(bed.b.stack->counts().total, 0u);
  bed.a.stack->thaw(std::move(frozen), bed.now);
}

// The names of the rules, as the source has them: {"name", condition}.
std::set<std::string> names_of_rules() {
  std::ifstream source("stack/snapshot_rules.cc");
  EXPECT_TRUE(source.good()) << "the tests run in the source's root";
  const std::string text((std::istreambuf_iterator<char>(source)), {});
  std::set<std::string> names;
  for (std::size_t at = text.find("{\""); at != std::string::npos; at = text.find("{\"", at)) {
    at += 2;
    names.insert(text.substr(at, text.find('"', at) - at));
  }
  return names;
}

TEST(SnapshotRulesCoverageTest, EachRuleIsBrokenSomewhere) {
  std::set<std::string> unbroken = names_of_rules();
  EXPECT_GT(unbroken.size(), 50u);
  std::vector<bool> broken(breaks().size());
  for (const Situation& situation : situations()) {
    TestBed bed(Moves::kNever, situation.peer, situation.options);
    situation.arrive(bed);
    FrozenConnection frozen = bed.a.stack->freeze(*bed.find(), bed.now);
    const TcpSnapshot good = bed.a.stack->capture(frozen, bed.now);
    bed.a.stack->thaw(std::move(frozen), bed.now);
    const auto all = breaks();
    for (std::size_t i = 0; i < all.size(); ++i) {
      TcpSnapshot bad = good;
      if (!all[i].how(bad)) continue;
      broken[i] = true;
      const std::string refusal = check_snapshot(bad).error().text;
      unbroken.erase(refusal.substr(refusal.find(": ") + 2));
    }
  }
  for (const std::string& name : unbroken)
    ADD_FAILURE() << "nothing breaks the rule: " << name;
  const auto all = breaks();
  for (std::size_t i = 0; i < all.size(); ++i)
    EXPECT_TRUE(broken[i]) << all[i].rule;
}

}  // namespace
}  // namespace migd::test
