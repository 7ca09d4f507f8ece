#include "stack/recovery/loss_recovery.h"

#include <algorithm>

#include "stack/lwip/hooks.h"
#include "stack/recovery/marks.h"

namespace migd {
namespace {

constexpr std::uint8_t kDuplicateThreshold = 3;       // RFC 5681 3.2, RFC 6675
constexpr std::uint32_t kInitialWindowSegments = 10;  // RFC 6928
constexpr Duration kProbeMin = 10ms;                  // a machine that is busy answers no sooner
// RFC 8985 7.2, WCDelAckT: so long the peer may keep the acknowledgment of less than two segments.
constexpr Duration kDelayedAckMax = 200ms;

bool uses_sack(const tcp_pcb& pcb) {
  return (pcb.flags & TF_SACK) != 0;
}

Rack::Segment for_rack(const tcp_seg& segment) {
  return {sent_at(segment), end_of(segment), has(segment, kSegmentRetransmitted)};
}

std::uint32_t initial_window(const tcp_pcb& pcb) {
  return std::min<std::uint32_t>(kInitialWindowSegments * pcb.mss,
                                 std::max<std::uint32_t>(2u * pcb.mss, 14600));
}

}  // namespace

LossRecovery::LossRecovery(CongestionAlgorithm algorithm, const Rest& rest, const tcp_pcb& pcb)
    : recovery_end_(SeqNum(pcb.lastack) - 1),
      congestion_(algorithm),
      min_rtt_(rest.min_rtt),
      limited_until_(pcb.lastack),
      last_sent_(rest.last_sent) {}

bool LossRecovery::at_rest(const tcp_pcb& pcb, CongestionAlgorithm algorithm) const {
  const SeqNum una(pcb.lastack);
  return pcb.unacked == nullptr && pcb.unsent == nullptr && pcb.state >= ESTABLISHED &&
         phase_ == Phase::kOpen && recovery_end_ == una - 1 && limited_until_ == una &&
         pcb.dupacks == 0 && !probe_end_ && !undo_.possible() && rack_.is_fresh() &&
         congestion_.is_fresh(algorithm);
}

void LossRecovery::begin(tcp_pcb& pcb) {
  pcb.ssthresh = CongestionWindow::kMax;  // RFC 5681 3.1: arbitrarily high
  recovery_end_ = limited_until_ = SeqNum(pcb.lastack);
}

// From the first segment that is not acknowledged on. Without loss that is SND.NXT - SND.UNA.
std::uint32_t LossRecovery::outstanding(const tcp_pcb& pcb) {
  if (pcb.unacked == nullptr) return 0;
  const SeqNum end = pcb.unsent != nullptr ? first_of(*pcb.unsent) : SeqNum(pcb.snd_nxt);
  return static_cast<std::uint32_t>(std::max(end - first_of(*pcb.unacked), 0));
}

// Without SACK each duplicate ACK says that one more segment has arrived (RFC 6582), but not the
// first.
std::uint32_t LossRecovery::credit_of_duplicates(const tcp_pcb& pcb) const {
  if (uses_sack(pcb) || pcb.unacked == nullptr || phase_ == Phase::kTimeOut) return 0;
  const std::uint32_t others =
      outstanding(pcb) - std::min(outstanding(pcb), length_of(*pcb.unacked));
  return std::min<std::uint32_t>(std::uint32_t{pcb.dupacks} * pcb.mss, others);
}

std::uint32_t LossRecovery::in_flight(const tcp_pcb& pcb) const {
  const std::int64_t bytes =
      std::int64_t{outstanding(pcb)} - sacked_ - lost_ + resent_ - credit_of_duplicates(pcb);
  return static_cast<std::uint32_t>(std::max<std::int64_t>(bytes, 0));
}

CongestionWindow LossRecovery::window_of(tcp_pcb& pcb) const {
  return {pcb.cwnd, pcb.ssthresh, pcb.bytes_acked, pcb.mss};
}

// ---- segments ----

void LossRecovery::on_segment_sent(const At& at, tcp_seg& segment, std::uint32_t timestamp) {
  const std::uint32_t length = length_of(segment);
  if (length == 0) return;
  if (has(segment, kSegmentSent)) {
    segment.migd_marks |= kSegmentRetransmitted;
    if (has(segment, kSegmentLost) && !has(segment, kSegmentResent)) {
      segment.migd_marks |= kSegmentResent;
      resent_ += length;
    }
    undo_.on_retransmission(length, timestamp);
  } else {
    segment.migd_marks = kSegmentSent;
    probe_from_ = at.now;
  }
  if (phase_ == Phase::kFastRecovery) prr_.on_sent(length);
  segment.migd_sent_at = at.now.time_since_epoch().count();
  last_sent_ = at.now;
}

// It was not known to have arrived before.
void LossRecovery::deliver(const At& at, const tcp_seg& segment) {
  const std::uint32_t length = length_of(segment);
  at.ack.delivered += length;
  if (has(segment, kSegmentLost)) lost_ -= length;
  if (has(segment, kSegmentResent)) resent_ -= length;
  const Duration round_trip = std::min(at.now - sent_at(segment), RttEstimator::kRoundTripMax);
  if (has(segment, kSegmentRetransmitted)) {
    undo_.on_acknowledged(end_of(segment), length, round_trip, min_rtt_.value(),
                          at.ack.options.echo);
  } else {
    if (!at.ack.rtt_sent_at) {
      at.ack.rtt_sent_at = sent_at(segment);
      at.ack.rtt = round_trip;
    }
    at.ack.rtt_latest = round_trip;
    if (end_of(segment) <= recovery_end_) at.ack.original = true;
  }
  if (uses_sack(at.pcb)) rack_.on_delivered(for_rack(segment), min_rtt_.value(), at.now);
}

void LossRecovery::on_segment_acked(const At& at, const tcp_seg& segment) {
  ++at.ack.segments;
  // Probes of a closed window have sent it, byte by byte: it has no time of its own.
  if (!has(segment, kSegmentSent)) return;
  if (has(segment, kSegmentSacked)) {
    sacked_ -= length_of(segment);
  } else {
    deliver(at, segment);
  }
}

void LossRecovery::mark_lost(tcp_seg& segment) {
  const std::uint32_t length = length_of(segment);
  if (has(segment, kSegmentLost)) {  // and so is what was sent again
    if (has(segment, kSegmentResent)) resent_ -= length;
    segment.migd_marks &= static_cast<std::uint8_t>(~kSegmentResent);
  } else {
    segment.migd_marks |= kSegmentLost;
    lost_ += length;
  }
}

void LossRecovery::unmark_lost(tcp_pcb& pcb) {
  for (tcp_seg* s = pcb.unacked; s != nullptr; s = s->next)
    s->migd_marks &= static_cast<std::uint8_t>(~(kSegmentLost | kSegmentResent));
  lost_ = resent_ = 0;
}

void LossRecovery::forget_sacks(tcp_pcb& pcb) {
  for (tcp_seg* s = pcb.unacked; s != nullptr; s = s->next)
    s->migd_marks &= static_cast<std::uint8_t>(~kSegmentSacked);
  sacked_ = 0;
}

// ---- SACK (RFC 2018, RFC 2883) ----

void LossRecovery::mark_sacked(const At& at, SeqNum left, SeqNum right) {
  for (tcp_seg* s = at.pcb.unacked; s != nullptr; s = s->next) {
    if (end_of(*s) > right) break;
    if (first_of(*s) < left || has(*s, kSegmentSacked)) continue;
    deliver(at, *s);
    s->migd_marks &= static_cast<std::uint8_t>(~(kSegmentLost | kSegmentResent));
    s->migd_marks |= kSegmentSacked;
    sacked_ += length_of(*s);
    at.ack.sacked += length_of(*s);
  }
}

void LossRecovery::take_blocks(const At& at) {
  const SeqNum una(at.pcb.lastack), next(at.pcb.snd_nxt);
  for (std::size_t i = 0; i < at.ack.options.block_count; ++i) {
    const TcpOptions::SackBlock& block = at.ack.options.blocks[i];
    const bool first_of_two = i == 0 && at.ack.options.block_count > 1;
    const bool within_next = first_of_two && block.left >= at.ack.options.blocks[1].left &&
                             block.right <= at.ack.options.blocks[1].right;
    if (block.left >= block.right || block.right > next) continue;  // nobody says that
    if (i == 0 && (block.right <= una || within_next)) {
      at.ack.duplicate = block;
    } else if (block.right > una) {
      mark_sacked(at, block.left, block.right);
    }
  }
}

void LossRecovery::take_duplicate(const At& at) {
  if (!at.ack.duplicate) return;
  undo_.on_duplicate(at.ack.duplicate->left, at.ack.duplicate->right);
  if (probe_end_ && at.ack.duplicate->right == *probe_end_) return;  // nothing was taken for lost
  rack_.on_duplicate_delivery(SeqNum(at.pcb.lastack), SeqNum(at.pcb.snd_nxt));
}

// ---- an ACK ----

void LossRecovery::on_ack(const At& at, std::uint32_t acked, bool duplicate) {
  tcp_pcb& pcb = at.pcb;
  const bool says_nothing = acked == 0 && !duplicate && at.ack.options.block_count == 0;
  if (says_nothing && phase_ == Phase::kOpen && !probe_end_) {
    at.ack = {};
    return;
  }
  const std::uint32_t flight_before = in_flight(pcb) + at.ack.delivered;
  if (acked > 0) probe_from_ = at.now;
  if (uses_sack(pcb)) {
    if (at.ack.options.block_count > 0) take_blocks(at);
    take_duplicate(at);
  } else if (acked > 0) {
    // One of what was acknowledged filled the gap; the others' duplicate ACKs have come.
    const std::uint32_t others = at.ack.segments > 0 ? at.ack.segments - 1 : 0;
    at.ack.delivered -=
        std::min<std::uint32_t>(at.ack.delivered, std::uint32_t{pcb.dupacks} * pcb.mss);
    pcb.dupacks -= static_cast<std::uint8_t>(std::min<std::uint32_t>(pcb.dupacks, others));
    if (phase_ != Phase::kFastRecovery) pcb.dupacks = 0;
  } else if (duplicate && phase_ != Phase::kTimeOut) {
    if (pcb.dupacks < 0xff) ++pcb.dupacks;
    at.ack.delivered += pcb.mss;
  }
  sample_round_trip(at);

  const bool new_losses = find_losses(at);
  switch (phase_) {
    case Phase::kOpen:
      if (new_losses) {
        enter_fast_recovery(at, acked);
        in_fast_recovery(at, acked, new_losses);
      } else {
        undo(at);  // a DSACK may come when all is acknowledged already
      }
      break;
    case Phase::kFastRecovery:
      if (SeqNum(pcb.lastack) >= recovery_end_) {
        end_recovery(at);
      } else if (!undo(at)) {
        in_fast_recovery(at, acked, new_losses);
      }
      break;
    case Phase::kTimeOut:
      after_time_out(at, acked);
      break;
  }
  end_probe(at, duplicate);
  if (acked > 0 && phase_ != Phase::kFastRecovery) grow(at, acked, flight_before);
  // Far behind, it would come to lie ahead.
  if (phase_ == Phase::kOpen && SeqNum(pcb.lastack) > recovery_end_)
    recovery_end_ = SeqNum(pcb.lastack) - 1;
  if (SeqNum(pcb.lastack) > limited_until_) limited_until_ = SeqNum(pcb.lastack);
  at.ack = {};
}

// RFC 6298 3: one sample for each round trip, or its weights would forget too soon.
void LossRecovery::sample_round_trip(const At& at) {
  if (!at.ack.rtt_sent_at) return;
  min_rtt_.sample(std::max<Duration>(at.ack.rtt_latest, 1ns), at.now);
  if (*at.ack.rtt_sent_at < last_sample_) return;
  at.rtt.sample(at.ack.rtt);
  last_sample_ = at.now;
}

bool LossRecovery::find_losses(const At& at) {
  tcp_pcb& pcb = at.pcb;
  reordering_until_ = kNever;
  if (pcb.unacked == nullptr) return false;
  if (uses_sack(pcb)) {
    return (sacked_ > 0 || resent_ > 0 || phase_ != Phase::kOpen) && find_losses_by_rack(at);
  }
  tcp_seg& first = *pcb.unacked;
  if (has(first, kSegmentLost)) return false;
  const bool begins = phase_ == Phase::kOpen && pcb.dupacks >= kDuplicateThreshold &&
                      SeqNum(pcb.lastack) > recovery_end_;
  const bool partial =
      phase_ == Phase::kFastRecovery && at.ack.segments > 0 && SeqNum(pcb.lastack) < recovery_end_;
  if (!begins && !partial) return false;
  mark_lost(first);
  return true;
}

bool LossRecovery::find_losses_by_rack(const At& at) {
  const bool urgent = phase_ != Phase::kOpen || sacked_ > (kDuplicateThreshold - 1u) * at.pcb.mss;
  const Duration window = rack_.reordering_window(urgent, min_rtt_.value(), at.rtt.srtt());
  bool found = false;
  Duration longest = Duration::zero();
  for (tcp_seg* s = at.pcb.unacked; s != nullptr; s = s->next) {
    if (has(*s, kSegmentSacked)) continue;
    if (has(*s, kSegmentLost) && !has(*s, kSegmentResent)) continue;
    const std::optional<Duration> left = rack_.until_lost(for_rack(*s), window, at.now);
    if (!left) {
      // All behind it was sent later still.
      if (!has(*s, kSegmentRetransmitted)) break;
    } else if (*left <= Duration::zero()) {
      mark_lost(*s);
      found = true;
    } else {
      longest = std::max(longest, *left);
    }
  }
  if (longest > Duration::zero()) reordering_until_ = at.now + longest;
  return found;
}

void LossRecovery::enter_fast_recovery(const At& at, std::uint32_t acked) {
  tcp_pcb& pcb = at.pcb;
  phase_ = Phase::kFastRecovery;
  recovery_end_ = SeqNum(pcb.snd_nxt);
  const std::uint32_t before = outstanding(pcb) + acked;
  undo_.begin(SeqNum(pcb.lastack), recovery_end_, pcb.cwnd, pcb.ssthresh);
  prr_.begin(before - std::min(before, sacked_ - at.ack.sacked));
  pcb.ssthresh = congestion_.on_loss(window_of(pcb), std::min(outstanding(pcb), pcb.cwnd));
  pcb.bytes_acked = 0;
  if (pcb.rtime >= 0) pcb.rtime = 0;  // what is sent again has its own time
  probe_end_.reset();
}

void LossRecovery::in_fast_recovery(const At& at, std::uint32_t acked, bool new_losses) {
  tcp_pcb& pcb = at.pcb;
  const std::uint32_t pipe = in_flight(pcb);
  const std::uint32_t more =
      prr_.on_ack(at.ack.delivered, pipe, pcb.ssthresh, pcb.mss, acked > 0 && !new_losses);
  pcb.cwnd = std::max<std::uint32_t>(pipe + more, pcb.mss);
}

void LossRecovery::end_recovery(const At& at) {
  tcp_pcb& pcb = at.pcb;
  if (undo(at)) return;
  if (phase_ == Phase::kFastRecovery) pcb.cwnd = std::max<std::uint32_t>(pcb.ssthresh, pcb.mss);
  phase_ = Phase::kOpen;
  pcb.dupacks = 0;
  frto_step_ = 0;
  rack_.on_recovery_end();
}

bool LossRecovery::undo(const At& at) {
  if (!undo_.proven()) return false;
  tcp_pcb& pcb = at.pcb;
  pcb.cwnd = std::max(pcb.cwnd, undo_.cwnd());
  pcb.ssthresh = std::max(pcb.ssthresh, undo_.ssthresh());
  pcb.dupacks = 0;
  undo_.end();
  congestion_.on_undo();
  unmark_lost(pcb);
  phase_ = Phase::kOpen;
  frto_step_ = 0;
  return true;
}

// ---- the path takes less ----

void LossRecovery::on_too_big(tcp_pcb& pcb, std::uint16_t mss) {
  for (tcp_seg* s = pcb.unacked; s != nullptr; s = s->next) {
    const std::uint32_t options = LWIP_TCP_OPT_LENGTH(s->flags);
    if (s->len + options <= mss || has(*s, kSegmentSacked)) continue;
    if (!has(*s, kSegmentLost) || has(*s, kSegmentResent)) mark_lost(*s);
  }
}

// ---- after a time-out ----

void LossRecovery::on_time_out(const At& at, bool first) {
  tcp_pcb& pcb = at.pcb;
  const bool again = phase_ == Phase::kTimeOut;
  if (phase_ == Phase::kOpen || (again && first)) {
    undo_.begin(SeqNum(pcb.lastack), SeqNum(pcb.snd_nxt), pcb.cwnd, pcb.ssthresh);
    pcb.ssthresh = congestion_.on_loss(window_of(pcb), std::min(outstanding(pcb), pcb.cwnd));
  }
  congestion_.on_time_out();
  frto_step_ = again ? 0 : 1;  // RFC 5682 2.1, step 1
  phase_ = Phase::kTimeOut;
  recovery_end_ = SeqNum(pcb.snd_nxt);
  pcb.dupacks = 0;
  pcb.bytes_acked = 0;
  probe_end_.reset();
  reordering_until_ = kNever;

  // RFC 2018 8, RFC 6675 5.1: SACK information stays, unless the peer has dropped what it said.
  if (pcb.unacked != nullptr && has(*pcb.unacked, kSegmentSacked)) forget_sacks(pcb);
  for (tcp_seg* s = pcb.unacked; s != nullptr; s = s->next) {
    if (has(*s, kSegmentSacked)) continue;
    if (!has(*s, kSegmentLost) || has(*s, kSegmentResent)) mark_lost(*s);
  }
  pcb.cwnd = in_flight(pcb) + pcb.mss;
  time_out_due_ = true;
}

void LossRecovery::after_time_out(const At& at, std::uint32_t acked) {
  tcp_pcb& pcb = at.pcb;
  if (SeqNum(pcb.lastack) >= recovery_end_) return end_recovery(at);
  if (undo(at)) return;
  if (frto_step_ == 1) {  // RFC 5682 2.1, step 2
    const bool new_data = pcb.unsent != nullptr && pcb.snd_wnd > outstanding(pcb);
    frto_step_ = acked > 0 && new_data && !has(*pcb.unacked, kSegmentRetransmitted) ? 2 : 0;
    if (frto_step_ == 2) {
      unmark_lost(pcb);  // for the time being
      pcb.cwnd = in_flight(pcb) + 2u * pcb.mss;
    }
  } else if (frto_step_ == 2) {  // step 3
    frto_step_ = 0;
    if (at.ack.original) {  // it came without having been sent again
      undo_.prove_all();
      undo(at);
    } else if (acked == 0) {
      for (tcp_seg* s = pcb.unacked; s != nullptr && end_of(*s) <= recovery_end_; s = s->next)
        if (!has(*s, kSegmentSacked)) mark_lost(*s);
      pcb.cwnd = in_flight(pcb) + pcb.mss;
    }
  }
}

// ---- growing ----

void LossRecovery::grow(const At& at, std::uint32_t acked, std::uint32_t flight_before) {
  tcp_pcb& pcb = at.pcb;
  const SeqNum una(pcb.lastack);
  congestion_.on_ack(window_of(pcb), una, SeqNum(pcb.snd_nxt), at.ack.rtt_latest);
  if (frto_step_ == 2) return;
  // A window that was not used says nothing about the path (RFC 7661).
  const bool slow_start = pcb.cwnd < pcb.ssthresh;
  const bool limited =
      una - acked < limited_until_ || (slow_start && 2 * std::uint64_t{flight_before} >= pcb.cwnd);
  if (!limited) return;
  congestion_.on_delivered(window_of(pcb), at.ack.delivered, at.rtt.srtt(), at.now);
}

// ---- the tail (RFC 8985 7) ----

bool LossRecovery::may_probe(const tcp_pcb& pcb) const {
  return uses_sack(pcb) && phase_ == Phase::kOpen && pcb.unacked != nullptr && !probe_end_ &&
         sacked_ == 0 && lost_ == 0 && pcb.state >= ESTABLISHED && outstanding(pcb) <= pcb.snd_wnd;
}

Duration LossRecovery::probe_after(const tcp_pcb& pcb, const RttEstimator& rtt) const {
  if (!rtt.known()) return RttEstimator::kInitialRto;
  const Duration two = std::max(2 * rtt.srtt(), kProbeMin);
  // Of two full segments every receiver acknowledges the second at once.
  return outstanding(pcb) < 2u * pcb.mss ? two + kDelayedAckMax : two;
}

Instant LossRecovery::deadline(const tcp_pcb& pcb, const RttEstimator& rtt,
                               Instant time_out) const {
  if (reordering_until_ != kNever) return reordering_until_;
  if (!may_probe(pcb)) return kNever;
  const Instant at = probe_from_ + probe_after(pcb, rtt);
  return at < time_out ? at : kNever;
}

void LossRecovery::on_deadline(const At& at) {
  if (at.now >= reordering_until_) {
    const bool found = find_losses(at);
    if (found && phase_ == Phase::kOpen) enter_fast_recovery(at, 0);
    if (phase_ == Phase::kFastRecovery) in_fast_recovery(at, 0, found);
    at.ack = {};
    tcp_output(&at.pcb);
  } else if (may_probe(at.pcb) && at.now >= probe_from_ + probe_after(at.pcb, at.rtt)) {
    probe(at);
  }
}

void LossRecovery::probe(const At& at) {
  tcp_pcb& pcb = at.pcb;
  const SeqNum before(pcb.snd_nxt);
  const std::uint32_t cwnd = pcb.cwnd;
  pcb.cwnd = std::max(pcb.cwnd, in_flight(pcb) + pcb.mss);  // one segment more than there may be
  tcp_output(&pcb);
  pcb.cwnd = cwnd;
  probe_repeated_ = SeqNum(pcb.snd_nxt) == before;
  if (probe_repeated_) {
    tcp_seg* last = pcb.unacked;
    while (last->next != nullptr)
      last = last->next;
    if (migd_lwip_resend(&pcb, last) == 0) return;
  }
  probe_end_ = SeqNum(pcb.snd_nxt);
  pcb.rtime = 0;  // the time-out begins anew
}

void LossRecovery::end_probe(const At& at, bool duplicate) {
  if (!probe_end_) return;
  tcp_pcb& pcb = at.pcb;
  const SeqNum una(pcb.lastack);
  if (una < *probe_end_) return;
  const bool told_twice = at.ack.duplicate && at.ack.duplicate->right == *probe_end_;
  if (!probe_repeated_ || told_twice || (duplicate && at.ack.options.block_count == 0)) {
    probe_end_.reset();
  } else if (una > *probe_end_) {  // only the probe can have filled the gap: there was a loss
    probe_end_.reset();
    if (phase_ != Phase::kOpen) return;
    pcb.ssthresh = congestion_.on_loss(window_of(pcb), pcb.cwnd);
    pcb.cwnd = std::min(pcb.cwnd, pcb.ssthresh);
  }
}

// ---- sending ----

// RFC 5681 4.1: nothing is known of the path any more.
void LossRecovery::restart_after_idle(const At& at) {
  tcp_pcb& pcb = at.pcb;
  if (pcb.unacked != nullptr || pcb.unsent == nullptr || last_sent_ == Instant{}) return;
  if (at.now - last_sent_ <= at.rtt.rto(200ms)) return;
  pcb.cwnd = std::min(pcb.cwnd, initial_window(pcb));
}

void LossRecovery::resend(const At& at) {
  tcp_pcb& pcb = at.pcb;
  const SeqNum window_end = SeqNum(pcb.lastack) + pcb.snd_wnd;
  for (tcp_seg* s = pcb.unacked; s != nullptr && lost_ > resent_; s = s->next) {
    if (!has(*s, kSegmentLost) || has(*s, kSegmentResent)) continue;
    if (in_flight(pcb) + length_of(*s) > pcb.cwnd && !time_out_due_) break;
    // RFC 9293 3.8.6: a window that has shrunk is probed by the time-out.
    if (end_of(*s) > window_end && !time_out_due_) break;
    time_out_due_ = false;
    if (migd_lwip_resend(&pcb, s) == 0) break;
  }
}

std::uint32_t LossRecovery::output_window(const At& at) {
  tcp_pcb& pcb = at.pcb;
  if (pcb.state < ESTABLISHED) return pcb.cwnd;
  restart_after_idle(at);
  if (lost_ > resent_) resend(at);
  time_out_due_ = false;
  const std::uint32_t end =
      pcb.unacked == nullptr
          ? 0
          : outstanding(pcb) -
                static_cast<std::uint32_t>(SeqNum(pcb.lastack) - first_of(*pcb.unacked));
  if (lost_ > resent_) {  // what is lost goes first (RFC 6675, NextSeg)
    limited_until_ = SeqNum(pcb.snd_nxt);
    return end;
  }
  const std::uint32_t pipe = in_flight(pcb);
  const std::uint32_t more = pcb.cwnd > pipe ? pcb.cwnd - pipe : 0;
  if (pcb.unsent != nullptr) {
    const auto waiting = static_cast<std::uint32_t>(SeqNum(pcb.snd_lbb) - first_of(*pcb.unsent));
    if (waiting + pcb.mss > more) limited_until_ = SeqNum(pcb.snd_nxt) + std::min(waiting, more);
  }
  return end + more;
}

// ---- moving ----

void LossRecovery::resume(Instant now) {
  probe_from_ = now;
  reordering_until_ = sacked_ > 0 || resent_ > 0 ? now : kNever;
}

void LossRecovery::capture(Instant now, RecoveryState& out, CongestionState& congestion) const {
  congestion = congestion_.capture(now);
  rack_.capture(now, out);
  undo_.capture(out);
  out.min_rtt = min_rtt_.current();
  out.min_rtt_previous = min_rtt_.previous();
  if (min_rtt_.current() != Duration::zero()) out.min_rtt_age = now - min_rtt_.since();
  out.prr_delivered = prr_.delivered();
  out.prr_sent = prr_.sent();
  out.prr_flight = prr_.flight();
  out.probe_end = probe_end_;
  out.probe_repeated = probe_repeated_;
  out.frto_step = frto_step_;
  out.limited_until = limited_until_;
  if (last_sent_ != Instant{}) out.send_idle = now - last_sent_;
  for (std::uint32_t* bytes :
       {&out.prr_delivered, &out.prr_sent, &out.prr_flight, &out.undo_unproven, &out.undo_cwnd,
        &out.undo_ssthresh, &congestion.epoch_cwnd, &congestion.cwnd_max, &congestion.cwnd_prior,
        &congestion.cwnd_reno, &congestion.undo_cwnd_max}) {
    *bytes = std::min(*bytes, kCwndMax);
  }
}

std::vector<SentRange> LossRecovery::capture_sent(const tcp_pcb& pcb, Instant now) {
  std::vector<SentRange> ranges;
  SeqNum next(pcb.lastack);
  for (const tcp_seg* s = pcb.unacked; s != nullptr; s = s->next) {
    if (end_of(*s) <= next) continue;
    SentRange range{.length = static_cast<std::uint32_t>(end_of(*s) - next),
                    .sacked = has(*s, kSegmentSacked),
                    .lost = has(*s, kSegmentLost),
                    .resent = has(*s, kSegmentResent),
                    .retransmitted = has(*s, kSegmentRetransmitted),
                    .sent_ago = now - sent_at(*s)};
    next = end_of(*s);
    if (!ranges.empty()) {
      SentRange& last = ranges.back();
      const std::uint32_t length = std::exchange(range.length, last.length);
      if (range == last) {
        last.length += length;
        continue;
      }
      range.length = length;
    }
    ranges.push_back(range);
  }
  return ranges;
}

void LossRecovery::recount(const tcp_pcb& pcb) {
  sacked_ = lost_ = resent_ = 0;
  for (const tcp_seg* s = pcb.unacked; s != nullptr; s = s->next) {
    if (has(*s, kSegmentSacked)) sacked_ += length_of(*s);
    if (has(*s, kSegmentLost)) lost_ += length_of(*s);
    if (has(*s, kSegmentResent)) resent_ += length_of(*s);
  }
}

void LossRecovery::restore(const tcp_pcb& pcb, Phase phase, SeqNum recovery_end,
                           const RecoveryState& state, const CongestionState& congestion,
                           Instant captured_at) {
  phase_ = phase;
  recovery_end_ = recovery_end;
  recount(pcb);
  congestion_.restore(congestion, captured_at);
  rack_.restore(state, captured_at);
  undo_.restore(state);
  min_rtt_.restore(state.min_rtt, state.min_rtt_previous, captured_at - state.min_rtt_age);
  prr_.restore(state.prr_delivered, state.prr_sent, state.prr_flight);
  probe_end_ = state.probe_end;
  probe_repeated_ = state.probe_repeated;
  frto_step_ = state.frto_step;
  limited_until_ = state.limited_until;
  last_sent_ = captured_at - state.send_idle;
  probe_from_ = captured_at;
}

}  // namespace migd
