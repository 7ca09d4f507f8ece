#include "stack/recovery/rack.h"

#include <algorithm>

#include "stack/rtt_estimator.h"

namespace migd {

void Rack::on_delivered(const Segment& segment, Duration min_rtt, Instant now) {
  const Duration rtt = now - segment.sent_at;
  if (!known_) highest_ = segment.end;
  if (segment.end >= highest_) {
    highest_ = segment.end;
  } else if (!segment.retransmitted) {
    reordering_seen_ = true;
  }
  // So soon that it can only have been the original that was delivered.
  if (segment.retransmitted && rtt < min_rtt) return;
  if (known_ &&
      (segment.sent_at < sent_at_ || (segment.sent_at == sent_at_ && segment.end <= end_))) {
    return;
  }
  known_ = true;
  sent_at_ = segment.sent_at;
  end_ = segment.end;
  rtt_ = std::min(rtt, RttEstimator::kRoundTripMax);
}

void Rack::on_duplicate_delivery(SeqNum acknowledged, SeqNum send_next) {
  if (round_ && acknowledged < *round_) return;
  round_ = send_next;
  multiplier_ = std::min<std::uint8_t>(multiplier_ + 1, kMultiplierMax);
  persist_ = kRecoveriesPersisted;
}

void Rack::on_recovery_end() {
  if (persist_ > 0 && --persist_ == 0) multiplier_ = 1;
}

Duration Rack::reordering_window(bool urgent, Duration min_rtt, Duration srtt) const {
  if (!reordering_seen_ && urgent) return Duration::zero();
  return std::min(multiplier_ * min_rtt / 4, srtt);
}

bool Rack::is_before_delivered(const Segment& segment) const {
  return known_ &&
         (segment.sent_at < sent_at_ || (segment.sent_at == sent_at_ && segment.end < end_));
}

std::optional<Duration> Rack::until_lost(const Segment& segment, Duration window,
                                         Instant now) const {
  if (!is_before_delivered(segment)) return std::nullopt;
  return segment.sent_at + rtt_ + window - now;
}

void Rack::capture(Instant now, RecoveryState& out) const {
  out.rack_known = known_;
  if (known_) {
    out.rack_sent_ago = now - sent_at_;
    out.rack_end = end_;
    out.rack_rtt = rtt_;
    out.rack_highest = highest_;
  }
  out.reordering_seen = reordering_seen_;
  out.reordering_multiplier = multiplier_;
  out.reordering_persist = persist_;
  out.reordering_round = round_;
}

void Rack::restore(const RecoveryState& state, Instant captured_at) {
  known_ = state.rack_known;
  sent_at_ = captured_at - state.rack_sent_ago;
  end_ = state.rack_end;
  rtt_ = state.rack_rtt;
  highest_ = state.rack_highest;
  reordering_seen_ = state.reordering_seen;
  multiplier_ = state.reordering_multiplier;
  persist_ = state.reordering_persist;
  round_ = state.reordering_round;
}

}  // namespace migd
