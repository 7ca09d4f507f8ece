#include "stack/rtt_estimator.h"

#include <algorithm>

namespace migd {

void RttEstimator::sample(Duration round_trip) {
  round_trip = std::min(round_trip, kRoundTripMax);
  if (!known_) {
    known_ = true;
    srtt_ = round_trip;
    rttvar_ = round_trip / 2;
    return;
  }
  const Duration error = srtt_ > round_trip ? srtt_ - round_trip : round_trip - srtt_;
  rttvar_ = (3 * rttvar_ + error) / 4;
  srtt_ = (7 * srtt_ + round_trip) / 8;
}

void RttEstimator::restore(Duration srtt, Duration rttvar) {
  known_ = true;
  srtt_ = srtt;
  rttvar_ = rttvar;
}

Duration RttEstimator::rto(Duration min_rto) const {
  if (!known_) return std::max(kInitialRto, min_rto);
  return std::min(srtt_ + std::max(4 * rttvar_, min_rto), kRtoMax);
}

}  // namespace migd
