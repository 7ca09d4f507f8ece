#include "stack/time_wait_record.h"

#include "base/check.h"
#include "stack/recovery/state.h"
#include "stack/rtt_estimator.h"

namespace migd {

// Every 16 bytes more cost each connection in TIME_WAIT as many.
static_assert(sizeof(void*) != 8 || sizeof(TimeWaitRecord) <= 256);

TimeWaitRecord::TimeWaitRecord(const TcpSnapshot& s, const ConnectionContext& context, Instant now)
    : tuple_(s.tuple),
      context_(context),
      opened_at_(now - s.age),
      began_(now - s.time_in_state),
      bytes_in_(s.bytes_in),
      bytes_out_(s.bytes_out),
      send_next_(s.send_next),
      receive_next_(s.receive_next),
      announced_right_edge_(s.announced_right_edge),
      ts_last_ack_sent_(s.ts_last_ack_sent),
      ts_recent_(s.ts_recent),
      send_window_(s.send_window),
      receive_window_limit_(s.receive_window_limit),
      send_buffer_limit_(s.send_buffer_limit),
      retransmitted_segments_(s.retransmitted_segments),
      mss_(s.mss),
      announced_mss_(s.announced_mss),
      send_scale_(s.send_scale),
      receive_scale_(s.receive_scale),
      traffic_class_(s.traffic_class),
      hop_limit_(s.hop_limit),
      window_scaling_(s.window_scaling),
      timestamps_(s.timestamps),
      sack_(s.sack),
      no_delay_(s.no_delay),
      read_closed_(s.read_closed) {
  MIGD_CHECK(s.state == TcpState::kTimeWait && s.unread.empty());
  ts_clock_.set(s.ts_clock, now - s.ts_clock_part);
}

TcpSnapshot TimeWaitRecord::snapshot(Instant now) const {
  TcpSnapshot s;
  s.tuple = tuple_;
  s.state = TcpState::kTimeWait;
  s.age = now - opened_at_;
  s.time_in_state = s.idle = now - began_;
  if (timestamps_) s.ts_recent_age = s.time_in_state;
  s.bytes_in = bytes_in_;
  s.bytes_out = bytes_out_;
  s.retransmitted_segments = retransmitted_segments_;

  s.send_unacknowledged = s.send_next = s.send_wl2 = s.recovery_end = send_next_;
  s.fin_sequence = send_next_ - 1;
  s.write_closed = true;
  s.send_window = s.send_window_max = send_window_;
  s.send_scale = send_scale_;
  s.send_buffer_limit = send_buffer_limit_;

  s.receive_next = s.send_wl1 = receive_next_;
  s.announced_right_edge = announced_right_edge_;
  s.receive_scale = receive_scale_;
  s.receive_window_limit = receive_window_limit_;
  s.peer_fin_received = true;
  s.read_closed = read_closed_;

  s.mss = mss_;
  s.announced_mss = announced_mss_;
  s.window_scaling = window_scaling_;
  s.timestamps = timestamps_;
  s.sack = sack_;
  s.ts_recent = ts_recent_;
  s.ts_last_ack_sent = ts_last_ack_sent_;
  s.ts_clock = ts_clock_.milliseconds(now);
  s.ts_clock_part = ts_clock_.part(now);
  s.no_delay = no_delay_;
  s.traffic_class = traffic_class_;
  s.hop_limit = hop_limit_;

  s.rto = RttEstimator::kInitialRto;
  s.cwnd = mss_;
  s.ssthresh = kCwndMax;
  return s;
}

}  // namespace migd
