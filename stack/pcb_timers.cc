#include "stack/pcb_timers.h"

#include <algorithm>

#include "stack/recovery/marks.h"

namespace migd {
namespace {

// pcb.rtime as lwIP leaves it: negative when the retransmission timer is off, 0 when it has just
// begun. We set the third value, so that the next 0 is seen to be a new beginning.
constexpr std::int16_t kRtimeJustBegun = 0;
constexpr std::int16_t kRtimeSeen = 1;

constexpr Duration kCloseRetry = 250ms;  // memory had run out when the FIN was to be queued

bool keeps_alive(const tcp_pcb& pcb) {
  return ip_get_option(&pcb, SOF_KEEPALIVE) != 0 &&
         (pcb.state == ESTABLISHED || pcb.state == CLOSE_WAIT);
}

bool waits_for_ack(const tcp_pcb& pcb) {
  return pcb.rtime >= 0 && pcb.unacked != nullptr;
}

bool nothing_waits(const tcp_pcb& pcb) {
  return pcb.unsent == nullptr && pcb.unacked == nullptr;
}

// The handshake has a limit of its own.
bool has_user_timeout(const tcp_pcb& pcb, const TimerLimits& limits) {
  return limits.user_timeout > Duration::zero() && pcb.state != SYN_RCVD && !nothing_waits(pcb);
}

// RFC 4821 7.7: after one time-out it is congestion, most likely; after so many it is not.
bool may_be_black_hole(std::uint8_t time_outs) {
  return time_outs >= PcbTimers::kBlackHoleTimeOuts &&
         (time_outs - PcbTimers::kBlackHoleTimeOuts) % PcbTimers::kBlackHoleMoreTimeOuts == 0;
}

}  // namespace

void PcbTimers::begin(Instant now, const TimerLimits& limits) {
  rto_ = rtt_.rto(limits.min_rto);
  state_since_ = last_heard_ = progress_ = ts_recent_at_ = now;
}

void PcbTimers::restore(const Carried& carried) {
  rtt_ = carried.rtt;
  rto_ = carried.rto;
  retransmissions_ = carried.retransmissions;
  state_since_ = carried.state_since;
  last_heard_ = carried.last_heard;
  ts_recent_at_ = carried.ts_recent_at;
  rto_start_ = persist_start_ = Instant(carried.waited);
  progress_ = Instant(carried.unacknowledged_for);
}

void PcbTimers::pause(Instant now) {
  rto_start_ = Instant(now - rto_start_);
  persist_start_ = Instant(now - persist_start_);
  progress_ = Instant(now - progress_);
}

void PcbTimers::resume(Instant now) {
  rto_start_ = now - rto_start_.time_since_epoch();
  persist_start_ = now - persist_start_.time_since_epoch();
  progress_ = now - progress_.time_since_epoch();
  ack_start_ = close_start_ = now;
}

Duration PcbTimers::waited(const tcp_pcb& pcb) const {
  if (pcb.persist_backoff > 0) return persist_start_.time_since_epoch();
  return waits_for_ack(pcb) ? rto_start_.time_since_epoch() : Duration::zero();
}

PcbMark PcbTimers::before(const tcp_pcb& pcb) {
  return {
      .state = pcb.state,
      .lastack = pcb.lastack,
      .ts_recent = pcb.ts_recent,
      .persist_backoff = pcb.persist_backoff,
      .ack_delayed = (pcb.flags & TF_ACK_DELAY) != 0,
      .close_pending = (pcb.flags & TF_CLOSEPEND) != 0,
      .nothing_waits = nothing_waits(pcb),
  };
}

void PcbTimers::after(const PcbMark& mark, tcp_pcb& pcb, Instant now, const TimerLimits& limits) {
  if (pcb.state != mark.state) state_since_ = now;
  if (pcb.state == TIME_WAIT) {
    if (pcb.tmr != 0) state_since_ = now;  // so says lwIP when the peer's FIN has come again
    pcb.tmr = 0;
    pcb.persist_backoff = 0;  // what was probed for may have been acknowledged just now
    return;
  }

  if (pcb.lastack != mark.lastack || mark.nothing_waits) progress_ = now;
  if (pcb.lastack != mark.lastack) {
    const bool handshake_was_slow = mark.state == SYN_RCVD && retransmissions_ > 0;
    retransmissions_ = 0;
    rto_ = rtt_.rto(limits.min_rto);
    if (handshake_was_slow) {  // RFC 6298 5.7, RFC 5681 3.1
      if (!rtt_.known()) rto_ = std::max<Duration>(rto_, 3s);
      pcb.cwnd = pcb.mss;
    }
  }
  if (pcb.ts_recent != mark.ts_recent) ts_recent_at_ = now;

  if (pcb.rtime == kRtimeJustBegun) {
    rto_start_ = now;
    pcb.rtime = kRtimeSeen;
  }
  // Probing makes sense only while something waits and nothing is in flight.
  if (pcb.unsent == nullptr || pcb.unacked != nullptr) pcb.persist_backoff = 0;
  if (pcb.persist_backoff != mark.persist_backoff) persist_start_ = now;
  if ((pcb.flags & TF_ACK_DELAY) != 0 && !mark.ack_delayed) ack_start_ = now;
  if ((pcb.flags & TF_CLOSEPEND) != 0 && !mark.close_pending) close_start_ = now;
}

Duration PcbTimers::persist_interval(const tcp_pcb& pcb) const {
  const int doublings = std::min<int>(pcb.persist_backoff - 1, 16);
  return std::min(rto_ * (1 << doublings), RttEstimator::kRtoMax);
}

Instant PcbTimers::keep_alive_deadline(const tcp_pcb& pcb) const {
  const auto probes = std::min<std::uint32_t>(pcb.keep_cnt_sent, pcb.keep_cnt);
  return last_heard_ + std::chrono::milliseconds(pcb.keep_idle) +
         std::chrono::milliseconds(std::uint64_t{pcb.keep_intvl} * probes);
}

Instant PcbTimers::recovery_deadline(const tcp_pcb& pcb, const RestingRecovery& recovery) const {
  return recovery.look(
      pcb, [&](const LossRecovery& awake) { return awake.deadline(pcb, rtt_, rto_start_ + rto_); });
}

Instant PcbTimers::deadline(const tcp_pcb& pcb, const RestingRecovery& recovery,
                            const TimerLimits& limits) const {
  if (pcb.state == TIME_WAIT) return state_since_ + limits.time_wait;
  Instant earliest = kNever;
  const auto at = [&earliest](Instant deadline) { earliest = std::min(earliest, deadline); };
  if (pcb.persist_backoff > 0) {
    at(persist_start_ + persist_interval(pcb));
  } else if (waits_for_ack(pcb)) {
    at(rto_start_ + rto_);
    at(recovery_deadline(pcb, recovery));
  }
  if ((pcb.flags & TF_ACK_DELAY) != 0) at(ack_start_ + limits.delayed_ack);
  if ((pcb.flags & TF_CLOSEPEND) != 0) at(close_start_ + kCloseRetry);
  if (pcb.state == FIN_WAIT_2 && (pcb.flags & TF_RXCLOSED) != 0)
    at(state_since_ + limits.fin_wait_2);
  if (keeps_alive(pcb)) at(keep_alive_deadline(pcb));
  if (has_user_timeout(pcb, limits)) at(progress_ + limits.user_timeout);
  return earliest;
}

PcbTimers::Outcome PcbTimers::expire(tcp_pcb& pcb, RestingRecovery& recovery, Instant now,
                                     const TimerLimits& limits) {
  if (pcb.state == TIME_WAIT) {
    return now >= state_since_ + limits.time_wait ? Outcome::kFinished : Outcome::kGoesOn;
  }
  if (pcb.state == FIN_WAIT_2 && (pcb.flags & TF_RXCLOSED) != 0 &&
      now >= state_since_ + limits.fin_wait_2) {
    return Outcome::kTimedOut;
  }
  if (has_user_timeout(pcb, limits) && now >= progress_ + limits.user_timeout) {
    return Outcome::kUnheard;
  }
  if (keeps_alive(pcb) && now >= keep_alive_deadline(pcb)) {
    if (pcb.keep_cnt_sent >= pcb.keep_cnt) return Outcome::kUnheard;
    ++pcb.keep_cnt_sent;
    tcp_keepalive(&pcb);
  }

  Outcome outcome = Outcome::kGoesOn;
  if (pcb.persist_backoff > 0) {
    if (now >= persist_start_ + persist_interval(pcb)) outcome = probe_window(pcb, now);
  } else if (waits_for_ack(pcb) && now >= rto_start_ + rto_) {
    outcome = retransmit(pcb, recovery, now);
  } else if (waits_for_ack(pcb) && now >= recovery_deadline(pcb, recovery)) {
    LossRecovery::Ack none;
    recovery.wake(pcb).on_deadline({pcb, rtt_, now, none});
  }
  if (outcome != Outcome::kGoesOn) return outcome;

  if ((pcb.flags & TF_CLOSEPEND) != 0 && now >= close_start_ + kCloseRetry) {
    close_start_ = now;
    tcp_clear_flags(&pcb, TF_CLOSEPEND);
    tcp_shutdown(&pcb, 0, 1);
  }
  if ((pcb.flags & TF_ACK_DELAY) != 0 && now >= ack_start_ + limits.delayed_ack) {
    tcp_ack_now(&pcb);
    tcp_output(&pcb);
    ack_start_ = now;
  }
  return Outcome::kGoesOn;
}

PcbTimers::Outcome PcbTimers::retransmit(tcp_pcb& pcb, RestingRecovery& recovery, Instant now) {
  const std::uint8_t most = pcb.state == SYN_RCVD ? kSynAckRetransmissionsMax : kRetransmissionsMax;
  // A peer that has closed its window and answers is not gone (RFC 9293 3.8.6.1).
  const bool window_closed = SeqNum(pcb.lastack) + pcb.snd_wnd < end_of(*pcb.unacked);
  const bool alive = pcb.state != SYN_RCVD && window_closed && last_heard_ > rto_start_;
  if (retransmissions_ >= most && !alive) return Outcome::kTimedOut;
  rto_start_ = now;
  if (pcb.state == SYN_RCVD) {
    if (tcp_rexmit_rto_prepare(&pcb) != ERR_OK) return Outcome::kGoesOn;
  } else {
    LossRecovery::Ack none;
    recovery.wake(pcb).on_time_out({pcb, rtt_, now, none}, retransmissions_ == 0);
  }
  if (retransmissions_ < most) ++retransmissions_;
  rto_ = std::min(2 * rto_, RttEstimator::kRtoMax);
  if (pcb.state != SYN_RCVD && !window_closed && may_be_black_hole(retransmissions_)) {
    return Outcome::kTooBig;
  }
  tcp_output(&pcb);
  return Outcome::kGoesOn;
}

PcbTimers::Outcome PcbTimers::probe_window(tcp_pcb& pcb, Instant now) {
  if (pcb.persist_probe >= kPersistProbesMax) return Outcome::kTimedOut;
  const tcp_seg& head = *pcb.unsent;
  const std::uint32_t offset = lwip_ntohl(head.tcphdr->seqno) - pcb.lastack;  // may be negative
  const std::int64_t room = std::int64_t{pcb.snd_wnd} - static_cast<std::int32_t>(offset);
  if (pcb.snd_wnd > 0 && room > 0 && room < head.len) {
    // The window is open, but for less than the segment: what fits is sent after this long
    // (RFC 9293 3.8.6.2.1, the override time-out). Sending ends the probing.
    if (tcp_split_unsent_seg(&pcb, static_cast<u16_t>(room)) == ERR_OK) tcp_output(&pcb);
  } else if (pcb.snd_wnd > 0 && room > 0) {
    tcp_output(&pcb);
  } else {
    tcp_zero_window_probe(&pcb);
  }
  if (pcb.persist_backoff > 0 && pcb.persist_backoff < 0xff) ++pcb.persist_backoff;
  persist_start_ = now;
  return Outcome::kGoesOn;
}

}  // namespace migd
