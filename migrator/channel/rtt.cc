#include "migrator/channel/rtt.h"

#include <algorithm>

namespace migd::channel {

void RoundTrip::sample(Duration measured, Duration ack_delay) {
  measured = std::max(measured, Duration(1));
  latest_ = measured;
  if (!measured_) {
    measured_ = true;
    least_ = smoothed_ = measured;
    variation_ = measured / 2;
    return;
  }
  least_ = std::min(least_, measured);
  if (measured >= least_ + ack_delay) measured -= ack_delay;
  const Duration error = measured > smoothed_ ? measured - smoothed_ : smoothed_ - measured;
  variation_ = (3 * variation_ + error) / 4;
  smoothed_ = (7 * smoothed_ + measured) / 8;
}

Duration RoundTrip::loss_delay() const {
  return std::max(std::max(smoothed_, latest_) * 9 / 8, kGranularity);
}

Duration RoundTrip::probe_timeout(Duration ack_delay_max, Duration floor) const {
  return std::max(smoothed_ + std::max(4 * variation_, kGranularity) + ack_delay_max, floor);
}

}  // namespace migd::channel
