#include "stack/pcb_timers.h"

#include <algorithm>

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

// lwIP takes for granted that what it has not sent lies behind what is unacknowledged. A segment
// that it wanted to send again at once, but that a window which has shrunk does not let out, lies
// in front; data that is written next would be appended to it. It goes back to where it was, and
// waits for the time-out.
void put_back_what_was_not_resent(tcp_pcb& pcb) {
  while (
      pcb.unsent != nullptr && pcb.unacked != nullptr &&
      TCP_SEQ_LT(lwip_ntohl(pcb.unsent->tcphdr->seqno), lwip_ntohl(pcb.unacked->tcphdr->seqno))) {
    tcp_seg* const segment = pcb.unsent;
    pcb.unsent = segment->next;
    segment->next = pcb.unacked;
    pcb.unacked = segment;
  }
}

bool waits_for_ack(const tcp_pcb& pcb) {
  return pcb.rtime >= 0 && pcb.unacked != nullptr;
}

}  // namespace

void PcbTimers::begin(Instant now, const TimerLimits& limits) {
  rto_ = rtt_.rto(limits.min_rto);
  state_since_ = last_heard_ = ts_recent_at_ = now;
}

void PcbTimers::restore(const Carried& carried) {
  rtt_ = carried.rtt;
  rto_ = carried.rto;
  retransmissions_ = carried.retransmissions;
  state_since_ = carried.state_since;
  last_heard_ = carried.last_heard;
  ts_recent_at_ = carried.ts_recent_at;
  rtt_start_ = carried.rtt_start;
  rto_waited_ = persist_waited_ = carried.waited;
}

void PcbTimers::pause(Instant now) {
  rto_waited_ = now - rto_start_;
  persist_waited_ = now - persist_start_;
}

void PcbTimers::resume(Instant now) {
  rto_start_ = now - rto_waited_;
  persist_start_ = now - persist_waited_;
  ack_start_ = close_start_ = now;
}

Duration PcbTimers::waited(const tcp_pcb& pcb) const {
  if (pcb.persist_backoff > 0) return persist_waited_;
  return waits_for_ack(pcb) ? rto_waited_ : Duration::zero();
}

PcbMark PcbTimers::before(const tcp_pcb& pcb) {
  return {
      .state = pcb.state,
      .lastack = pcb.lastack,
      .snd_nxt = pcb.snd_nxt,
      .rttest = pcb.rttest,
      .rtseq = pcb.rtseq,
      .ts_recent = pcb.ts_recent,
      .persist_backoff = pcb.persist_backoff,
      .ack_delayed = (pcb.flags & TF_ACK_DELAY) != 0,
      .close_pending = (pcb.flags & TF_CLOSEPEND) != 0,
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

  if (pcb.lastack != mark.lastack) {
    const bool handshake_was_slow = mark.state == SYN_RCVD && retransmissions_ > 0;
    retransmissions_ = 0;
    if (mark.rttest != 0 && TCP_SEQ_LT(mark.rtseq, pcb.lastack)) rtt_.sample(now - rtt_start_);
    rto_ = rtt_.rto(limits.min_rto);
    if (handshake_was_slow) {  // RFC 6298 5.7, RFC 5681 3.1
      if (!rtt_.known()) rto_ = std::max<Duration>(rto_, 3s);
      pcb.cwnd = pcb.mss;
    }
  }
  if (pcb.rttest != 0 && (pcb.rttest != mark.rttest || pcb.rtseq != mark.rtseq)) {
    rtt_start_ = now;
    // lwIP times what it sends again as well; which of the two is acknowledged, nobody knows
    // (RFC 6298 3, Karn).
    if (mark.state != CLOSED && TCP_SEQ_LT(pcb.rtseq, mark.snd_nxt)) pcb.rttest = 0;
  }
  if (pcb.ts_recent != mark.ts_recent) ts_recent_at_ = now;

  put_back_what_was_not_resent(pcb);
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

Instant PcbTimers::deadline(const tcp_pcb& pcb, const TimerLimits& limits) const {
  if (pcb.state == TIME_WAIT) return state_since_ + limits.time_wait;
  Instant earliest = kNever;
  const auto at = [&earliest](Instant deadline) { earliest = std::min(earliest, deadline); };
  if (pcb.persist_backoff > 0) {
    at(persist_start_ + persist_interval(pcb));
  } else if (waits_for_ack(pcb)) {
    at(rto_start_ + rto_);
  }
  if ((pcb.flags & TF_ACK_DELAY) != 0) at(ack_start_ + limits.delayed_ack);
  if ((pcb.flags & TF_CLOSEPEND) != 0) at(close_start_ + kCloseRetry);
  if (pcb.state == FIN_WAIT_2 && (pcb.flags & TF_RXCLOSED) != 0)
    at(state_since_ + limits.fin_wait_2);
  if (keeps_alive(pcb)) at(keep_alive_deadline(pcb));
  return earliest;
}

PcbTimers::Outcome PcbTimers::expire(tcp_pcb& pcb, Instant now, const TimerLimits& limits) {
  if (pcb.state == TIME_WAIT) {
    return now >= state_since_ + limits.time_wait ? Outcome::kFinished : Outcome::kGoesOn;
  }
  if (pcb.state == FIN_WAIT_2 && (pcb.flags & TF_RXCLOSED) != 0 &&
      now >= state_since_ + limits.fin_wait_2) {
    return Outcome::kTimedOut;
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
    outcome = retransmit(pcb, now);
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

PcbTimers::Outcome PcbTimers::retransmit(tcp_pcb& pcb, Instant now) {
  const std::uint8_t most = pcb.state == SYN_RCVD ? kSynAckRetransmissionsMax : kRetransmissionsMax;
  if (retransmissions_ >= most) return Outcome::kTimedOut;
  rto_start_ = now;
  if (tcp_rexmit_rto_prepare(&pcb) != ERR_OK) return Outcome::kGoesOn;
  // All that was sent is taken for lost (RFC 6582 4). lwIP counts only what was in flight: less,
  // when this is the second time-out of a recovery.
  pcb.rto_end = pcb.snd_nxt;

  // RFC 5681 3.1: at the first time-out of a segment; one more finds the path as bad as before.
  if (retransmissions_ == 0) {
    const std::uint32_t in_flight = pcb.snd_nxt - pcb.lastack;
    pcb.ssthresh = std::max<std::uint32_t>(in_flight / 2, 2u * pcb.mss);
  }
  pcb.cwnd = pcb.mss;
  pcb.bytes_acked = 0;
  pcb.dupacks = 0;
  tcp_clear_flags(&pcb, TF_INFR);
  ++retransmissions_;
  rto_ = std::min(2 * rto_, RttEstimator::kRtoMax);
  tcp_rexmit_rto_commit(&pcb);
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
