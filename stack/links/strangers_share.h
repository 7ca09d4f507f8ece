// How much of the time strangers get while they send more than is read: what known flows leave, and
// about an eighth when they leave nothing. Engine: no clock.
#pragma once

#include <algorithm>

#include "base/time.h"

namespace migd {

class StrangersShare {
 public:
  static constexpr int kPatience = 16;  // full batches in a row: more than a burst
  static constexpr int kRest = 7;       // as many times as long as a batch took
  static constexpr Duration kRestMax = 10ms;

  bool flooded() const { return full_batches_ >= kPatience; }
  // Frames to read at a time: few, when there are too many and others would have to wait for them.
  int budget() const { return flooded() ? 16 : 64; }

  // How long to leave them waiting after a batch that has, or has not, emptied their queue, and
  // with all that it led to took so long. `competing`: known flows have come since the batch
  // before. Zero: not at all.
  Duration after_batch(bool emptied, Duration took, bool competing) {
    full_batches_ = emptied ? 0 : std::min(full_batches_ + 1, kPatience);
    return flooded() && competing ? std::min(kRest * took, kRestMax) : Duration::zero();
  }

 private:
  int full_batches_ = 0;
};

}  // namespace migd
