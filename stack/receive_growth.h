// A receive window that grows with the path: a sender that the window holds back fills it once in a
// round trip, and the application takes as much. As long as that is so the window is doubled, up to
// its bound; it never shrinks. The round trip is that of the handshake, for a connection that only
// receives.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace migd {

class ReceiveGrowth {
 public:
  static constexpr std::uint32_t kBegin = 1u << 20;  // no connection begins with more

  // The application has taken `bytes`. The limit from now on, at most `bound`. A round trip of zero
  // is not known.
  std::uint32_t on_consumed(std::uint32_t bytes, std::uint32_t limit, std::uint32_t bound,
                            Duration round_trip, Instant now) {
    if (round_trip == Duration::zero() || limit >= bound) return limit;
    if (now - since_ > round_trip) {
      since_ = now;
      consumed_ = 0;
    }
    consumed_ += std::min(bytes, bound);
    if (consumed_ < limit - limit / 8) return limit;
    consumed_ = 0;
    since_ = now;
    return limit > bound / 2 ? bound : 2 * limit;
  }

 private:
  Instant since_{};             // of the round trip that is looked at
  std::uint32_t consumed_ = 0;  // in it
};

}  // namespace migd
