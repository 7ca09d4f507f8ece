#include "base/metrics.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace migd {
namespace {

// Bucket i holds durations in (2^(i-1), 2^i] microseconds, the first all up to 1 us, the last all
// that are longer than the others hold.
std::size_t bucket_of(Duration d) {
  const std::int64_t ns = d.count();
  if (ns <= 1000) return 0;
  const auto us_rounded_up = static_cast<std::uint64_t>((ns - 1) / 1000 + 1);
  return std::min(static_cast<std::size_t>(std::bit_width(us_rounded_up - 1)),
                  DurationHistogram::kBuckets - 1);
}

template <typename T>
T& find_or_make(std::map<std::string, T, std::less<>>& map, std::string_view name) {
  const auto found = map.find(name);
  return found != map.end() ? found->second : map[std::string(name)];
}

}  // namespace

void DurationHistogram::record(Duration d) {
  ++buckets_[bucket_of(d)];
  ++count_;
  sum_ += d;
}

Duration DurationHistogram::quantile(double q) const {
  if (count_ == 0) return Duration::zero();
  const double wanted = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_));
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
  std::uint64_t seen = 0;
  std::size_t i = 0;
  while (i + 1 < kBuckets && (seen += buckets_[i]) < rank)
    ++i;
  return std::chrono::microseconds(std::int64_t{1} << i);
}

std::string prometheus_text(std::string_view name, const DurationHistogram& histogram) {
  const std::size_t brace = name.find('{');
  const std::string base(name.substr(0, brace));
  // Without the braces: `stage="frozen"`.
  const std::string labels(
      brace == std::string_view::npos ? "" : name.substr(brace + 1, name.size() - brace - 2));
  const std::string all = labels.empty() ? "" : "{" + labels + "}";
  std::string text;
  const auto bucket = [&](const std::string& bound, std::uint64_t value) {
    text += base + "_bucket{" + labels + (labels.empty() ? "" : ",") + "le=\"" + bound + "\"} " +
            std::to_string(value) + "\n";
  };
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i + 1 < DurationHistogram::kBuckets && seen < histogram.count(); ++i) {
    seen += histogram.bucket(i);
    bucket(std::to_string(std::uint64_t{1} << i), seen);
  }
  bucket("+Inf", histogram.count());
  text += base + "_sum" + all + " " + std::to_string(to_microseconds(histogram.sum())) + "\n";
  text += base + "_count" + all + " " + std::to_string(histogram.count()) + "\n";
  return text;
}

Counter& Metrics::counter(std::string_view name) {
  return find_or_make(counters_, name);
}

DurationHistogram& Metrics::histogram(std::string_view name) {
  return find_or_make(histograms_, name);
}

void Metrics::for_each_counter(
    const std::function<void(const std::string&, std::uint64_t)>& visit) const {
  for (const auto& [name, counter] : counters_)
    visit(name, counter.value);
}

void Metrics::for_each_histogram(
    const std::function<void(const std::string&, const DurationHistogram&)>& visit) const {
  for (const auto& [name, histogram] : histograms_)
    visit(name, histogram);
}

}  // namespace migd
