#include "stack/snapshot_rules.h"

#include <algorithm>
#include <string>

#include "base/limits.h"
#include "stack/lwip_headers.h"
#include "stack/path_mtu.h"
#include "stack/pcb_timers.h"

namespace migd {
namespace {

constexpr std::uint8_t kScaleMax = 14;  // RFC 7323 2.3
constexpr Duration kRtoMin = 1ms;
constexpr Duration kPast = 24h * 365 * 100;
constexpr std::uint32_t kKeepaliveCountMax = 255;
constexpr Duration kKeepaliveMin = 1ms;       // lwIP counts no less
constexpr Duration kKeepaliveMax = 24h * 40;  // in milliseconds it fits 32 bits

using State = TcpState;

bool one_of(State state, std::initializer_list<State> states) {
  return std::find(states.begin(), states.end(), state) != states.end();
}

bool is_unicast(const IpAddress& address) {
  if (address.is_unspecified()) return false;
  if (!address.is_v4()) return address.bytes()[0] != 0xff;
  return address.bytes()[0] != 0 && address.bytes()[0] < 224;
}

bool is_past(Duration d) {
  return d >= Duration::zero() && d <= kPast;
}

// Each rule: its name, for the refusal, and whether it holds.
struct Rule {
  const char* name;
  bool holds;
};

Result<void> all_hold(std::initializer_list<Rule> rules) {
  for (const Rule& rule : rules) {
    if (!rule.holds) {
      return fail(ErrorCode::kProtocol, std::string("snapshot refused: ") + rule.name);
    }
  }
  return {};
}

Result<void> check_tuple(const FourTuple& tuple) {
  return all_hold({
      {"both addresses are of one family",
       tuple.local.address.family() == tuple.peer.address.family()},
      {"the local address is a unicast address", is_unicast(tuple.local.address)},
      {"the peer's address is a unicast address", is_unicast(tuple.peer.address)},
      {"the ports are not zero", tuple.local.port != 0 && tuple.peer.port != 0},
  });
}

Result<void> check_sending(const TcpSnapshot& s) {
  const std::size_t data = s.send_data.size();
  if (data > s.send_buffer_limit || s.send_in_flight > data) {
    return all_hold({
        {"the data to send fits the send buffer", data <= s.send_buffer_limit},
        {"what is in flight is part of the data to send", s.send_in_flight <= data},
    });
  }
  const auto size = static_cast<std::uint32_t>(data);
  const bool acked = fin_acknowledged(s);
  const std::uint32_t sent = s.send_in_flight + (fin_sent(s) && !acked ? 1u : 0u) +
                             (s.state == State::kSynReceived ? 1u : 0u);
  const bool closing = one_of(s.state, {State::kFinWait1, State::kFinWait2, State::kClosing,
                                        State::kLastAck, State::kTimeWait});
  const bool closed = one_of(s.state, {State::kFinWait2, State::kTimeWait});
  return all_hold({
      {"the send buffer is within its limits",
       s.send_buffer_limit > 0 && s.send_buffer_limit <= limits::kSendBufferMax},
      {"a FIN is queued in the states that follow it, and in no other",
       s.fin_sequence.has_value() == closing && s.write_closed == closing},
      {"the FIN is behind the last byte to send",
       !s.fin_sequence || acked || *s.fin_sequence == s.send_unacknowledged + size},
      {"the FIN is acknowledged in FIN_WAIT_2 and TIME_WAIT, and in no other state",
       acked == closed},
      {"nothing is left to send when the FIN is acknowledged", !acked || data == 0},
      {"SND.NXT is SND.UNA and what is in flight", s.send_next == s.send_unacknowledged + sent},
      {"the send window is what 16 scaled bits can say", s.send_window <= 0xffffu << s.send_scale},
      {"the largest send window is at least the present one, and can be said",
       s.send_window_max >= s.send_window && s.send_window_max <= 0xffffu << s.send_scale},
  });
}

Result<void> check_receiving(const TcpSnapshot& s) {
  const std::uint64_t most = std::uint64_t{s.receive_window_limit} + kWindowSlack;
  const bool after_fin =
      one_of(s.state, {State::kCloseWait, State::kClosing, State::kLastAck, State::kTimeWait});
  const std::int32_t announced = s.announced_right_edge - s.receive_next;
  return all_hold({
      {"the receive window is within its limits",
       s.receive_window_limit > 0 && s.receive_window_limit <= limits::kWindowMax},
      {"the window can be said with its scale",
       s.receive_window_limit <= 0xffffu << s.receive_scale},
      {"the unread data fits the receive window", s.unread.size() <= most},
      {"the peer's FIN was received in the states that follow it, and in no other",
       s.peer_fin_received == after_fin},
      {"the announced right edge is within a window of RCV.NXT",
       announced <= static_cast<std::int64_t>(most) &&
           announced >= -static_cast<std::int64_t>(most)},
      {"the announced window and the unread data fit the receive window",
       std::max<std::int64_t>(announced, 0) + static_cast<std::int64_t>(s.unread.size()) <=
           static_cast<std::int64_t>(most) + 1},
  });
}

Result<void> check_out_of_order(const TcpSnapshot& s) {
  if (s.out_of_order.size() > out_of_order_max(s.receive_window_limit)) {
    return all_hold({{"there are not more out-of-order ranges than a connection may hold", false}});
  }
  const std::uint64_t most = std::uint64_t{s.receive_window_limit} + kWindowSlack;
  SeqNum behind = s.receive_next;  // of the range before
  for (std::size_t i = 0; i < s.out_of_order.size(); ++i) {
    const TcpSnapshot::OutOfOrder& range = s.out_of_order[i];
    const bool last = i + 1 == s.out_of_order.size();
    const std::uint64_t end =
        std::uint64_t{static_cast<std::uint32_t>(range.first - s.receive_next)} +
        range.data.size() + (range.fin ? 1 : 0);
    if (auto ok = all_hold({
            {"out-of-order data is only there before the peer's FIN", !s.peer_fin_received},
            {"an out-of-order range is not empty", !range.data.empty() || range.fin},
            {"out-of-order data and unread data fit the receive window",
             end + s.unread.size() <= most},
            {"out-of-order ranges are ascending and disjoint, and begin behind RCV.NXT",
             i == 0 ? range.first > behind : range.first >= behind},
            {"only the last out-of-order range ends in a FIN", last || !range.fin},
        });
        !ok) {
      return ok;
    }
    behind = range.first + static_cast<std::uint32_t>(range.data.size());
  }
  return {};
}

// Each block must be held: what was acknowledged selectively is never asked for again.
Result<void> check_sack_blocks(const TcpSnapshot& s) {
  for (const TcpSnapshot::SackBlock& block : s.sack_blocks) {
    if (auto ok = all_hold({
            {"a SACK block is not empty", block.left < block.right},
            {"a SACK block names out-of-order data that is there", holds(s, block)},
        });
        !ok) {
      return ok;
    }
  }
  return all_hold({
      {"there are at most as many SACK blocks as are announced",
       s.sack_blocks.size() <= LWIP_TCP_MAX_SACK_NUM},
      {"there are SACK blocks only when SACK was negotiated", s.sack || s.sack_blocks.empty()},
  });
}

// One more for the peer's FIN.
bool within_window_before(SeqNum ack, const TcpSnapshot& s) {
  const std::int64_t behind = s.receive_next - ack;
  return behind >= 0 && behind <= std::int64_t{s.receive_window_limit} + kWindowSlack + 1;
}

Result<void> check_options(const TcpSnapshot& s) {
  return all_hold({
      {"window scales are at most 14", s.send_scale <= kScaleMax && s.receive_scale <= kScaleMax},
      {"nothing is scaled when window scaling was not negotiated",
       s.window_scaling || (s.send_scale == 0 && s.receive_scale == 0)},
      {"the MSS is at least the least in use", s.mss >= TCP_MSS_MIN},
      {"the announced MSS is at least the least in use", s.announced_mss >= TCP_MSS_MIN},
      {"the path's MTU is one that is believed",
       s.path_mtu == 0 || s.path_mtu >= path_mtu_min(s.tuple.local.address.family())},
      {"the age of the path's MTU lies in the past",
       is_past(s.path_mtu_age) && (s.path_mtu != 0 || s.path_mtu_age == Duration::zero())},
      {"the age of TS.Recent lies in the past", is_past(s.ts_recent_age)},
      {"the last acknowledgment sent lies within a window before RCV.NXT",
       !s.timestamps || within_window_before(s.ts_last_ack_sent, s)},
      {"the part of a millisecond is less than one",
       s.ts_clock_part >= Duration::zero() && s.ts_clock_part < 1ms},
  });
}

Result<void> check_congestion_and_timers(const TcpSnapshot& s) {
  const bool waiting = something_waits(s);
  const bool probing = s.persist_backoff > 0;
  return all_hold({
      {"the round trip is a duration",
       s.srtt >= Duration::zero() && s.srtt <= RttEstimator::kRoundTripMax &&
           s.rttvar >= Duration::zero() && s.rttvar <= RttEstimator::kRoundTripMax},
      {"the retransmission time-out is between 1 ms and 60 s",
       s.rto >= kRtoMin && s.rto <= RttEstimator::kRtoMax},
      {"the retransmission timer began in the past", is_past(s.timer_waited)},
      {"the connection has not given up retransmitting",
       s.retransmissions <= PcbTimers::kRetransmissionsMax},
      {"the congestion window is in range", s.cwnd > 0 && s.cwnd <= kCwndMax},
      {"the slow start threshold is in range", s.ssthresh > 0 && s.ssthresh <= kCwndMax},
      {"the acknowledged bytes since the last increase are in range",
       s.cwnd_bytes_acked <= kCwndMax},
      {"there is one kind of recovery at a time", !s.in_fast_recovery || !s.in_rto_recovery},
      {"recovery ends within what was sent",
       (!s.in_fast_recovery && !s.in_rto_recovery) ||
           (s.recovery_end >= s.send_unacknowledged && s.recovery_end <= s.send_next)},
      {"a window is probed only while something waits to be sent", !probing || waiting},
      {"a window is probed only while nothing is in flight", !probing || s.send_in_flight <= 1},
      {"the connection has not given up probing", s.persist_probes <= PcbTimers::kPersistProbesMax},
      {"the keep-alive times are durations",
       s.keepalive_idle >= Duration::zero() && s.keepalive_idle <= kKeepaliveMax &&
           s.keepalive_interval >= Duration::zero() && s.keepalive_interval <= kKeepaliveMax},
      {"the keep-alive probes are counted in 8 bits",
       s.keepalive_count <= kKeepaliveCountMax &&
           (!s.keepalive || s.keepalive_probes_sent <= s.keepalive_count)},
      {"keep-alive has times and a count",
       !s.keepalive || (s.keepalive_idle >= kKeepaliveMin &&
                        s.keepalive_interval >= kKeepaliveMin && s.keepalive_count > 0)},
      {"what waits for an acknowledgment has waited in the past",
       is_past(s.unacknowledged_for) && (waiting || s.unacknowledged_for == Duration::zero())},
      {"the idle time lies in the past", is_past(s.idle)},
      {"the time in the state lies in the past", is_past(s.time_in_state)},
      {"the age lies in the past", is_past(s.age)},
      {"nothing is older than the connection",
       std::max({s.time_in_state, s.idle, s.ts_recent_age, s.path_mtu_age, s.unacknowledged_for}) <=
           s.age},
      {"the hop limit is not zero", s.hop_limit > 0},
      {"who has closed reading has closed writing", !s.read_closed || s.write_closed},
  });
}

// Where it is given, it tells of all that is in flight, and of nothing else.
Result<void> check_sent(const TcpSnapshot& s) {
  if (s.sent.empty()) return {};
  if (s.sent.size() > kSentRangesMax) {
    return all_hold({{"there are not more ranges in flight than may travel", false}});
  }
  std::uint64_t length = 0;
  for (const SentRange& range : s.sent) {
    length += range.length;
    if (auto ok = all_hold({
            {"a range in flight is not empty", range.length > 0},
            {"what is in flight and was acknowledged selectively is not lost",
             !range.sacked || (!range.lost && !range.resent && s.sack)},
            {"what was sent again was lost, and is marked so",
             !range.resent || (range.lost && range.retransmitted)},
            {"what is in flight was sent in the past", is_past(range.sent_ago)},
        });
        !ok) {
      return ok;
    }
  }
  const auto in_flight = static_cast<std::uint32_t>(s.send_next - s.send_unacknowledged);
  return all_hold({
      {"ranges in flight are there only after the handshake",
       !one_of(s.state, {State::kSynReceived, State::kTimeWait})},
      {"the ranges in flight are what is in flight", length == in_flight},
  });
}

Result<void> check_recovery(const TcpSnapshot& s) {
  const RecoveryState& r = s.recovery;
  const CongestionState& c = s.congestion;
  const auto is_rtt = [](Duration d) {
    return d >= Duration::zero() && d <= RttEstimator::kRoundTripMax;
  };
  return all_hold({
      {"the times of loss recovery lie in the past",
       is_past(r.rack_sent_ago) && is_past(r.rack_rtt) && is_past(r.min_rtt_age) &&
           is_past(r.send_idle) && is_past(c.epoch_ago)},
      {"the least round trips are durations", is_rtt(r.min_rtt) && is_rtt(r.min_rtt_previous) &&
                                                  is_rtt(c.round_rtt) && is_rtt(c.round_rtt_last) &&
                                                  is_rtt(c.slow_start_rtt)},
      {"the reordering window is a small multiple", r.reordering_multiplier > 0},
      {"F-RTO has two steps, after a time-out",
       r.frto_step <= 2 && (r.frto_step == 0 || s.in_rto_recovery)},
      {"a probe ends within what was sent",
       !r.probe_end || (*r.probe_end >= s.send_unacknowledged && *r.probe_end <= s.send_next)},
      {"the windows to go back to are in range",
       r.undo_cwnd <= kCwndMax && r.undo_ssthresh <= kCwndMax},
      {"the reduction's sums are in range", r.prr_delivered <= kCwndMax && r.prr_sent <= kCwndMax &&
                                                r.prr_flight <= kCwndMax &&
                                                r.undo_unproven <= kCwndMax},
      {"the windows of the curve are in range",
       c.epoch_cwnd <= kCwndMax && c.cwnd_max <= kCwndMax && c.cwnd_prior <= kCwndMax &&
           c.cwnd_reno <= kCwndMax && c.undo_cwnd_max <= kCwndMax},
  });
}

// The SYN/ACK may have to be sent again, and what it said holds until its acknowledgment comes. It
// says its window without scaling it; a challenge ACK (RFC 5961 3) may have announced more since.
Result<void> check_handshake(const TcpSnapshot& s) {
  if (s.state != State::kSynReceived) return {};
  return all_hold({
      {"nothing is to be sent before the handshake is complete", s.send_data.empty()},
      {"nothing is unread before the handshake is complete", s.unread.empty()},
      {"out-of-order data is only there after the handshake", s.out_of_order.empty()},
      {"a SYN/ACK announces a window", s.announced_right_edge >= s.receive_next},
      {"the SYN/ACK has not been given up",
       s.retransmissions <= PcbTimers::kSynAckRetransmissionsMax},
  });
}

}  // namespace

bool fin_sent(const TcpSnapshot& s) {
  return s.fin_sequence && s.send_next == *s.fin_sequence + 1;
}

bool fin_acknowledged(const TcpSnapshot& s) {
  return s.fin_sequence && s.send_unacknowledged == *s.fin_sequence + 1;
}

bool something_waits(const TcpSnapshot& s) {
  return !s.send_data.empty() || (s.fin_sequence && !fin_acknowledged(s));
}

bool holds(const TcpSnapshot& s, const TcpSnapshot::SackBlock& block) {
  SeqNum at = block.left;
  for (const TcpSnapshot::OutOfOrder& range : s.out_of_order) {
    const SeqNum end = range.first + static_cast<std::uint32_t>(range.data.size());
    if (range.first <= at && at < end) at = end;
  }
  return at >= block.right;
}

Result<void> check_snapshot(const TcpSnapshot& snapshot) {
  if (auto ok = check_tuple(snapshot.tuple); !ok) return ok;
  if (auto ok = check_options(snapshot); !ok) return ok;
  if (auto ok = check_sending(snapshot); !ok) return ok;
  if (auto ok = check_receiving(snapshot); !ok) return ok;
  if (auto ok = check_out_of_order(snapshot); !ok) return ok;
  if (auto ok = check_sack_blocks(snapshot); !ok) return ok;
  if (auto ok = check_congestion_and_timers(snapshot); !ok) return ok;
  if (auto ok = check_sent(snapshot); !ok) return ok;
  if (auto ok = check_recovery(snapshot); !ok) return ok;
  return check_handshake(snapshot);
}

}  // namespace migd
