// Time as every engine sees it: an Instant of a monotonic clock whose origin means nothing outside
// this node, and a Duration. There is deliberately no now() here: engines are told the time, and
// only the event loop (base/event_loop.h) reads a clock. Two nodes' Instants are never compared;
// what travels is a Duration.
#pragma once

#include <chrono>
#include <cstdint>

namespace migd {

using Duration = std::chrono::nanoseconds;

struct MonotonicClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};

using Instant = MonotonicClock::time_point;

// A deadline that never comes.
inline constexpr Instant kNever = Instant::max();

inline std::int64_t to_microseconds(Duration d) {
  return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
}
inline std::int64_t to_milliseconds(Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

using namespace std::chrono_literals;  // NOLINT: 5ms, 2s read best everywhere

}  // namespace migd
