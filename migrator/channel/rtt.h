// Round-trip time (RFC 6298, RFC 9002 section 5).
#pragma once

#include "base/time.h"

namespace migd::channel {

class RoundTrip {
 public:
  explicit RoundTrip(Duration initial) : smoothed_(initial), variation_(initial / 2) {}

  // `ack_delay` is how long the peer says it kept the acknowledgement.
  void sample(Duration measured, Duration ack_delay);

  bool measured() const { return measured_; }
  Duration smoothed() const { return smoothed_; }
  // The time after which a packet that others overtook is lost (RFC 9002 section 6.1.2).
  Duration loss_delay() const;
  // Without any acknowledgement for this long, something is sent again (section 6.2.1).
  Duration probe_timeout(Duration ack_delay_max, Duration floor) const;

 private:
  static constexpr Duration kGranularity = 1ms;

  Duration smoothed_;
  Duration variation_;
  Duration latest_{};
  Duration least_{};
  bool measured_ = false;
};

}  // namespace migd::channel
