// Reno (RFC 5681), CUBIC (RFC 9438) and HyStart++ (RFC 9406), each by its rules.
#include "stack/recovery/congestion_control.h"

#include <gtest/gtest.h>

#include <cmath>

namespace migd::test {
namespace {

constexpr Instant kControlStart{Duration(1000s)};
constexpr std::uint32_t kSegmentSize = 1000;

struct TestWindows {
  std::uint32_t cwnd = 10 * kSegmentSize, ssthresh = CongestionWindow::kMax, credit = 0;
  CongestionWindow get() { return {cwnd, ssthresh, credit, kSegmentSize}; }
};

// A window's worth of ACKs, one for each segment.
void ack_round(CongestionControl& control, TestWindows& w, Duration srtt, Instant now) {
  for (std::uint32_t left = w.cwnd; left >= kSegmentSize; left -= kSegmentSize)
    control.on_delivered(w.get(), kSegmentSize, srtt, now);
}

TEST(CongestionControlTest, SlowStartCountsAllBytesUpToTheThreshold) {
  CongestionControl control(CongestionAlgorithm::kReno);
  TestWindows w;
  control.on_delivered(w.get(), 7 * kSegmentSize, 20ms, kControlStart);
  EXPECT_EQ(w.cwnd, 17 * kSegmentSize);
  w.ssthresh = 20 * kSegmentSize;
  control.on_delivered(w.get(), 7 * kSegmentSize, 20ms, kControlStart);
  EXPECT_EQ(w.cwnd, 20 * kSegmentSize);
}

TEST(RenoTest, GrowsByASegmentARoundTripAndHalves) {
  CongestionControl control(CongestionAlgorithm::kReno);
  TestWindows w{.cwnd = 20 * kSegmentSize, .ssthresh = 20 * kSegmentSize};
  for (int i = 1; i <= 5; ++i) {
    ack_round(control, w, 20ms, kControlStart + i * 20ms);
    EXPECT_EQ(w.cwnd, (20u + static_cast<unsigned>(i)) * kSegmentSize);
  }
  EXPECT_EQ(control.on_loss(w.get(), 24 * kSegmentSize), 12 * kSegmentSize);  // FlightSize / 2
  EXPECT_EQ(control.on_loss(w.get(), kSegmentSize), 2 * kSegmentSize);        // not less
}

// RFC 9438 4.2: K = cbrt((W_max - cwnd_epoch) / C); the curve is at cwnd_epoch when it begins, at
// W_max after K.
TEST(CubicTest, TheCurve) {
  const double epoch = 70 * kSegmentSize, plateau = 100 * kSegmentSize;
  const double k = std::cbrt(30 / 0.4);
  EXPECT_NEAR(Cubic::window_at(0, plateau, epoch, kSegmentSize), epoch, 1);
  EXPECT_NEAR(Cubic::window_at(k, plateau, epoch, kSegmentSize), plateau, 1);
  EXPECT_NEAR(Cubic::window_at(2 * k, plateau, epoch, kSegmentSize), 130 * kSegmentSize, 1);
}

// 4.6: beta is 0.7. 4.7: what gives up window has its plateau lowered, to (1 + beta) / 2.
TEST(CubicTest, DecreasesAndConvergesFast) {
  CongestionControl control(CongestionAlgorithm::kCubic);
  TestWindows w{.cwnd = 100 * kSegmentSize};
  EXPECT_EQ(control.on_loss(w.get(), w.cwnd), 70 * kSegmentSize);
  EXPECT_EQ(control.capture(kControlStart).cwnd_max, 100 * kSegmentSize);
  w.cwnd = 80 * kSegmentSize;
  EXPECT_EQ(control.on_loss(w.get(), w.cwnd), 56 * kSegmentSize);
  EXPECT_EQ(control.capture(kControlStart).cwnd_max, 68 * kSegmentSize);
}

// After a loss the window is at the plateau again when K has passed, however long the round trip:
// here Reno would be far behind.
TEST(CubicTest, IsBackAtThePlateauAfterK) {
  CongestionControl control(CongestionAlgorithm::kCubic);
  TestWindows w{.cwnd = 1000 * kSegmentSize};
  w.ssthresh = w.cwnd = control.on_loss(w.get(), w.cwnd);
  const double k = std::cbrt(300 / 0.4);  // 9.1 s
  Instant now = kControlStart;
  for (; now < kControlStart + Duration(static_cast<std::int64_t>(k * 1e9)); now += 100ms)
    ack_round(control, w, 100ms, now);
  EXPECT_NEAR(w.cwnd, 1000 * kSegmentSize, 10 * kSegmentSize);
  for (int i = 0; i < 20; ++i, now += 100ms)  // and then beyond it, ever faster
    ack_round(control, w, 100ms, now);
  EXPECT_GT(w.cwnd, 1001 * kSegmentSize);
}

// 4.3: where Reno would be faster, as fast: alpha = 3 (1 - beta) / (1 + beta) segments a round
// trip, one once it is above the window before the loss.
TEST(CubicTest, IsNotSlowerThanReno) {
  CongestionControl control(CongestionAlgorithm::kCubic);
  TestWindows w{.cwnd = 20 * kSegmentSize};
  w.ssthresh = w.cwnd = control.on_loss(w.get(), w.cwnd);
  Instant now = kControlStart;
  const std::uint32_t begin = w.cwnd;
  for (int i = 0; i < 10; ++i, now += 1ms)
    ack_round(control, w, 1ms, now);
  EXPECT_NEAR(w.cwnd, begin + 5.29 * kSegmentSize, 0.4 * kSegmentSize);
  while (w.cwnd < 21 * kSegmentSize) {
    ack_round(control, w, 1ms, now);
    now += 1ms;
  }
  const std::uint32_t above = w.cwnd;
  for (int i = 0; i < 10; ++i, now += 1ms)
    ack_round(control, w, 1ms, now);
  EXPECT_NEAR(w.cwnd, above + 10 * kSegmentSize, 0.6 * kSegmentSize);
}

// 4.8: after a time-out the curve begins anew where slow start has ended.
TEST(CubicTest, ATimeOutForgetsThePlateau) {
  CongestionControl control(CongestionAlgorithm::kCubic);
  TestWindows w{.cwnd = 100 * kSegmentSize};
  w.ssthresh = control.on_loss(w.get(), w.cwnd);
  control.on_time_out();
  w.cwnd = w.ssthresh;
  control.on_delivered(w.get(), kSegmentSize, 20ms, kControlStart);
  EXPECT_EQ(control.capture(kControlStart).cwnd_max, 70 * kSegmentSize);
}

// 4.9: what was no loss leaves no trace.
TEST(CubicTest, UndoRestoresThePlateau) {
  CongestionControl control(CongestionAlgorithm::kCubic);
  TestWindows w{.cwnd = 100 * kSegmentSize};
  control.on_loss(w.get(), w.cwnd);
  w.cwnd = 90 * kSegmentSize;
  control.on_loss(w.get(), w.cwnd);
  control.on_undo();
  EXPECT_EQ(control.capture(kControlStart).cwnd_max, 100 * kSegmentSize);
}

TEST(CubicTest, WhatIsCapturedGoesOnAlike) {
  CongestionControl a(CongestionAlgorithm::kCubic), b(CongestionAlgorithm::kReno);
  TestWindows w{.cwnd = 500 * kSegmentSize};
  w.ssthresh = w.cwnd = a.on_loss(w.get(), w.cwnd);
  Instant now = kControlStart;
  for (int i = 0; i < 10; ++i, now += 50ms)
    ack_round(a, w, 50ms, now);
  TestWindows v = w;
  b.restore(a.capture(now), now + 1h);  // another clock
  for (int i = 0; i < 40; ++i) {
    ack_round(a, w, 50ms, now + i * 50ms);
    ack_round(b, v, 50ms, now + 1h + i * 50ms);
  }
  EXPECT_NEAR(w.cwnd, v.cwnd, 20);
}

// RFC 9406 4.2: the threshold is an eighth of the last round's round trip, within 4 and 16 ms.
TEST(HyStartTest, LeavesWhenTheRoundTripGrows) {
  HyStart start;
  SeqNum una(0);
  bool over = false;
  int rounds = 0;
  const auto go = [&](Duration rtt) {
    ++rounds;
    const SeqNum end = una + 20 * kSegmentSize;
    while (!over && una < end) {
      una += kSegmentSize;
      over = start.on_ack(una, una + 20 * kSegmentSize, rtt);
    }
  };
  go(40ms);
  go(40ms);
  EXPECT_EQ(start.growth(1000), 1000u);
  go(44ms);  // less than 40/8 more
  EXPECT_EQ(start.growth(1000), 1000u);
  go(50ms);
  EXPECT_EQ(start.growth(1000), 250u);  // conservative
  const int began = rounds;
  while (!over && rounds < 20)
    go(55ms);
  EXPECT_EQ(rounds - began, 5);
}

TEST(HyStartTest, AFluctuationIsForgiven) {
  HyStart start;
  SeqNum una(0);
  for (const Duration rtt : {40ms, 40ms, 60ms, 40ms, 40ms}) {
    const SeqNum end = una + 20 * kSegmentSize;
    while (una < end) {
      una += kSegmentSize;
      EXPECT_FALSE(start.on_ack(una, una + 20 * kSegmentSize, rtt));
    }
  }
  EXPECT_EQ(start.growth(1000), 1000u);
}

}  // namespace
}  // namespace migd::test
