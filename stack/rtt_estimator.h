// Smoothed round trip and retransmission time-out (RFC 6298), in the resolution of the clock.
// Samples are times from sending a segment to its acknowledgment, never of a segment that was sent
// twice (Karn).
#pragma once

#include "base/time.h"

namespace migd {

class RttEstimator {
 public:
  static constexpr Duration kInitialRto = 1s;
  static constexpr Duration kRtoMax = 60s;
  static constexpr Duration kRoundTripMax = 120s;  // a longer one says no more than this

  void sample(Duration round_trip);
  void restore(Duration srtt, Duration rttvar);

  bool known() const { return known_; }
  Duration srtt() const { return srtt_; }
  Duration rttvar() const { return rttvar_; }

  // Without back-off. Its variable part is at least `min_rto`: a steady round trip must not bring
  // the time-out down to the round trip itself.
  Duration rto(Duration min_rto) const;

 private:
  bool known_ = false;
  Duration srtt_{};
  Duration rttvar_{};
};

}  // namespace migd
