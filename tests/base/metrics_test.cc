#include "base/metrics.h"

#include <gtest/gtest.h>

#include "base/drop_reason.h"

namespace migd {
namespace {

TEST(Metrics, TheSameNameIsTheSameObject) {
  Metrics metrics;
  Counter& a = metrics.counter("migd_a_total");
  for (int i = 0; i < 100; ++i)
    metrics.counter("migd_other_total{n=\"" + std::to_string(i) + "\"}");
  a.add();
  metrics.counter("migd_a_total").add(2);
  EXPECT_EQ(a.value, 3u);
  metrics.histogram("migd_h_seconds").record(1ms);
  EXPECT_EQ(metrics.histogram("migd_h_seconds").count(), 1u);
}

TEST(Metrics, AreVisitedInTheOrderOfTheirNames) {
  Metrics metrics;
  metrics.counter("b").add(2);
  metrics.counter("a").add(1);
  metrics.histogram("h");
  std::string seen;
  metrics.for_each_counter(
      [&](const std::string& name, std::uint64_t value) { seen += name + std::to_string(value); });
  metrics.for_each_histogram(
      [&](const std::string& name, const DurationHistogram&) { seen += name; });
  EXPECT_EQ(seen, "a1b2h");
}

TEST(DurationHistogram, BucketsArePowersOfTwoMicroseconds) {
  const auto bucket_of = [](Duration d) {
    DurationHistogram histogram;
    histogram.record(d);
    for (std::size_t i = 0; i < DurationHistogram::kBuckets; ++i) {
      if (histogram.bucket(i) == 1) return i;
    }
    return DurationHistogram::kBuckets;
  };
  EXPECT_EQ(bucket_of(-1us), 0u);
  EXPECT_EQ(bucket_of(0ns), 0u);
  EXPECT_EQ(bucket_of(1us), 0u);
  EXPECT_EQ(bucket_of(1001ns), 1u);
  EXPECT_EQ(bucket_of(2us), 1u);
  EXPECT_EQ(bucket_of(2001ns), 2u);
  EXPECT_EQ(bucket_of(1024us), 10u);
  EXPECT_EQ(bucket_of(1025us), 11u);
  EXPECT_EQ(bucket_of(10'000h), DurationHistogram::kBuckets - 1);
}

TEST(DurationHistogram, QuantilesAreUpperBoundsWithinAFactorOfTwo) {
  DurationHistogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), 0us);
  for (int i = 1; i <= 1000; ++i)
    histogram.record(std::chrono::microseconds(i));
  EXPECT_EQ(histogram.count(), 1000u);
  EXPECT_EQ(histogram.sum(), 500'500us);
  for (const double q : {0.01, 0.5, 0.9, 0.99, 1.0}) {
    const auto exact = std::chrono::microseconds(static_cast<int>(q * 1000));
    EXPECT_GE(histogram.quantile(q), exact) << q;
    EXPECT_LT(histogram.quantile(q), 2 * exact) << q;
  }
  EXPECT_EQ(histogram.quantile(0), 1us);
  EXPECT_EQ(histogram.quantile(7), histogram.quantile(1));
}

TEST(DropCounters, CountByName) {
  DropCounters drops;
  drops.count(DropReason::kTruncated);
  drops.count(DropReason::kFault, 4);
  EXPECT_EQ(drops.of(DropReason::kTruncated), 1u);
  EXPECT_EQ(drops.of(DropReason::kBadChecksum), 0u);
  EXPECT_EQ(drops.total(), 5u);
  for (std::size_t i = 0; i < kDropReasonCount; ++i) {
    EXPECT_FALSE(to_string(static_cast<DropReason>(i)).empty());
  }
}

TEST(DurationHistogram, AsPrometheusText) {
  DurationHistogram histogram;
  EXPECT_EQ(prometheus_text("h", histogram), "h_bucket{le=\"+Inf\"} 0\nh_sum 0\nh_count 0\n");
  histogram.record(1us);
  histogram.record(3us);
  histogram.record(4us);
  EXPECT_EQ(prometheus_text("h{stage=\"sent\"}", histogram),
            "h_bucket{stage=\"sent\",le=\"1\"} 1\n"
            "h_bucket{stage=\"sent\",le=\"2\"} 1\n"
            "h_bucket{stage=\"sent\",le=\"4\"} 3\n"
            "h_bucket{stage=\"sent\",le=\"+Inf\"} 3\n"
            "h_sum{stage=\"sent\"} 8\n"
            "h_count{stage=\"sent\"} 3\n");
}

}  // namespace
}  // namespace migd
