// The least round trip of the last minutes: RACK and the undoing of a recovery compare with it.
// A path may become longer, so a sample counts for five to ten minutes.
#pragma once

#include <algorithm>

#include "base/time.h"

namespace migd {

class MinRtt {
 public:
  static constexpr Duration kPeriod = 5min;

  void sample(Duration round_trip, Instant now) {
    if (current_ == Duration::zero() || now - since_ > kPeriod) {
      previous_ = current_;
      current_ = round_trip;
      since_ = now;
    }
    current_ = std::min(current_, round_trip);
  }
  void restore(Duration current, Duration previous, Instant since) {
    current_ = current;
    previous_ = previous;
    since_ = since;
  }

  // Zero: not known.
  Duration value() const {
    return previous_ == Duration::zero() ? current_ : std::min(current_, previous_);
  }
  Duration current() const { return current_; }
  Duration previous() const { return previous_; }
  Instant since() const { return since_; }

 private:
  Duration current_{};   // of the period that runs since `since_`
  Duration previous_{};  // of the one before
  Instant since_{};
};

}  // namespace migd
