#include "stack/recovery/hystart.h"

#include <algorithm>

namespace migd {

bool HyStart::begin_round(SeqNum acknowledged, SeqNum send_next) {
  if (round_end_ && acknowledged < *round_end_) return false;
  const bool had_one = round_end_.has_value();
  round_end_ = send_next;
  last_rtt_ = round_rtt_;
  round_rtt_ = Duration::zero();
  samples_ = 0;
  return had_one && rounds_ > 0 && ++rounds_ > kRounds;
}

bool HyStart::on_ack(SeqNum acknowledged, SeqNum send_next, Duration round_trip) {
  if (begin_round(acknowledged, send_next)) return true;
  if (round_trip == Duration::zero()) return false;
  round_rtt_ = round_rtt_ == Duration::zero() ? round_trip : std::min(round_rtt_, round_trip);
  if (samples_ < kSamples) ++samples_;
  if (samples_ < kSamples || last_rtt_ == Duration::zero()) return false;
  if (rounds_ > 0) {
    if (round_rtt_ < baseline_) rounds_ = 0;  // it was a fluctuation
    return false;
  }
  const Duration threshold =
      std::clamp<Duration>(last_rtt_ / kThresholdDivisor, kThresholdMin, kThresholdMax);
  if (round_rtt_ >= last_rtt_ + threshold) {
    baseline_ = round_rtt_;
    rounds_ = 1;
  }
  return false;
}

void HyStart::capture(CongestionState& out) const {
  out.slow_start_rounds = rounds_;
  out.round_end = round_end_;
  out.round_rtt = round_rtt_;
  out.round_rtt_last = last_rtt_;
  out.slow_start_rtt = baseline_;
  out.round_samples = samples_;
}

void HyStart::restore(const CongestionState& state) {
  rounds_ = state.slow_start_rounds;
  round_end_ = state.round_end;
  round_rtt_ = state.round_rtt;
  last_rtt_ = state.round_rtt_last;
  baseline_ = state.slow_start_rtt;
  samples_ = state.round_samples;
}

}  // namespace migd
