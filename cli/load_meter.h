// How busy this node is: processor time that it used, of the time that has passed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

#include "base/time.h"

namespace migd {

class LoadMeter {
 public:
  static constexpr Duration kInterval = 200ms;  // each figure is of one that has ended

  // `processor_time` of this process so far; may be empty: then it is never busy.
  LoadMeter(std::function<Duration()> processor_time, Instant now)
      : processor_time_(std::move(processor_time)), since_(now) {
    if (processor_time_) used_ = processor_time_();
  }

  // In thousandths of one core. To be called now and then.
  std::uint16_t busy_permille(Instant now) {
    const Duration passed = now - since_;
    if (!processor_time_ || passed < kInterval) return permille_;
    const Duration used = processor_time_();
    permille_ = static_cast<std::uint16_t>(
        std::clamp<Duration::rep>((used - used_) * 1000 / passed, 0, 1000));
    since_ = now;
    used_ = used;
    return permille_;
  }

 private:
  std::function<Duration()> processor_time_;
  Instant since_;
  Duration used_{};
  std::uint16_t permille_ = 0;
};

}  // namespace migd
