// The one owner of the layout of the timestamp we send (RFC 7323 TSval).
//
//     31                                        6 5          0
//    +-------------------------------------------+------------+
//    |       clock, in ticks of 64 ms            |   owner    |   so one unit is about 1 ms
//    +-------------------------------------------+------------+
//
// The clock counts milliseconds from a random start of each connection; a TSval is the clock with
// its low six bits replaced by what names the owner (reserved: zero). A SYN cookie's timestamp has
// no owner: what it must remember stands there (stack/syn_cookies.h). The clock goes on from where
// it was when the connection moves: the milliseconds travel, and the time on the way is added as
// far as it is known. So the TSval never goes back, which the peer would take for an old duplicate
// (PAWS). Round trips are never measured by it.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace migd {

class TimestampClock {
 public:
  static constexpr int kOwnerBits = 6;
  static constexpr std::uint32_t kUnit = 1u << kOwnerBits;  // milliseconds
  static constexpr std::uint32_t kOwnerMask = kUnit - 1;

  // The clock shows `milliseconds` at `at`.
  void set(std::uint32_t milliseconds, Instant at) {
    start_ = milliseconds;
    at_ = at;
  }
  std::uint32_t milliseconds(Instant now) const {
    return start_ + static_cast<std::uint32_t>(to_milliseconds(now - at_));
  }
  // What has passed of the next millisecond.
  Duration part(Instant now) const {
    return (now - at_) - std::chrono::floor<std::chrono::milliseconds>(now - at_);
  }
  std::uint32_t tsval(Instant now) const { return milliseconds(now) & ~kOwnerMask; }

  // The TSval of a SYN cookie: at most kUnit - 1 ahead of the clock. And what a TSval remembers.
  static std::uint32_t with_cookie(std::uint32_t milliseconds, std::uint8_t bits) {
    return (milliseconds & ~kOwnerMask) | (bits & kOwnerMask);
  }
  static std::uint8_t cookie_of(std::uint32_t tsval) {
    return static_cast<std::uint8_t>(tsval & kOwnerMask);
  }

 private:
  std::uint32_t start_ = 0;
  Instant at_{};
};

}  // namespace migd
