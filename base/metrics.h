// Counters and histograms by name. Hot code keeps a reference to its Counter, which is a plain
// number; whoever exports walks the registry. Names are those of the Prometheus conventions
// (migd_..._total); labels are part of the key.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace migd {

struct Counter {
  std::uint64_t value = 0;
  void add(std::uint64_t n = 1) { value += n; }
};

// Durations in buckets of powers of two from 1 us, good for p50/p99 within a factor of two.
class DurationHistogram {
 public:
  static constexpr std::size_t kBuckets = 32;
  void record(Duration d);
  std::uint64_t count() const { return count_; }
  Duration sum() const { return sum_; }
  Duration quantile(double q) const;  // upper bound of the bucket it falls in
  std::uint64_t bucket(std::size_t i) const { return buckets_[i]; }

 private:
  std::uint64_t buckets_[kBuckets] = {};
  std::uint64_t count_ = 0;
  Duration sum_{};
};

// In Prometheus' text format, in microseconds: NAME_bucket{le="1"}, ..., NAME_sum, NAME_count.
// Labels of the name stay. Buckets behind the last that holds anything are left out, but for
// "+Inf".
std::string prometheus_text(std::string_view name, const DurationHistogram& histogram);

class Metrics {
 public:
  // The same name gives the same object; it lives as long as the registry.
  Counter& counter(std::string_view name);
  DurationHistogram& histogram(std::string_view name);

  void for_each_counter(const std::function<void(const std::string&, std::uint64_t)>& visit) const;
  void for_each_histogram(
      const std::function<void(const std::string&, const DurationHistogram&)>& visit) const;

 private:
  std::map<std::string, Counter, std::less<>> counters_;
  std::map<std::string, DurationHistogram, std::less<>> histograms_;
};

}  // namespace migd
