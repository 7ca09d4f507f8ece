#include "base/timer_wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <vector>

namespace migd {
namespace {

constexpr Instant kStart{Duration(123'456'789)};

std::vector<TimerWheel::Node*> pop_all(TimerWheel& wheel, Instant now) {
  std::vector<TimerWheel::Node*> popped;
  while (TimerWheel::Node* node = wheel.pop_expired(now))
    popped.push_back(node);
  return popped;
}

TEST(TimerWheel, EmptyOneHasNoDeadline) {
  TimerWheel wheel(kStart);
  EXPECT_EQ(wheel.next_deadline(), kNever);
  EXPECT_EQ(wheel.pop_expired(kStart + 1h), nullptr);
  EXPECT_EQ(wheel.next_deadline(), kNever);
}

TEST(TimerWheel, FiresNeverEarlyAndAtMostOneTickLate) {
  for (const Duration wait :
       {Duration(0ns), Duration(1ns), Duration(999'999ns), Duration(1ms), Duration(1ms + 1ns),
        Duration(255ms), Duration(256ms), Duration(257ms), Duration(65'535ms), Duration(65'536ms),
        Duration(65'537ms), Duration(16'777'216ms), Duration(1000h), Duration(1300h)}) {
    TimerWheel wheel(kStart);
    TimerWheel::Node node;
    wheel.arm(node, kStart + wait);
    EXPECT_TRUE(node.armed());
    EXPECT_EQ(node.deadline(), kStart + wait);
    if (wait > 0ns) {
      EXPECT_EQ(wheel.pop_expired(kStart + wait - 1ns), nullptr) << wait.count();
    }
    EXPECT_EQ(wheel.pop_expired(kStart + wait + TimerWheel::kTick), &node) << wait.count();
    EXPECT_FALSE(node.armed());
    EXPECT_EQ(node.deadline(), kNever);
    EXPECT_EQ(wheel.next_deadline(), kNever);
  }
}

TEST(TimerWheel, WhatIsBeyondItsReachFiresAllTheSame) {
  TimerWheel wheel(kStart);
  TimerWheel::Node node;
  const Instant deadline = kStart + 24h * 365 * 5;  // the wheel turns in 50 days
  wheel.arm(node, deadline);
  EXPECT_EQ(wheel.pop_expired(deadline - 1ns), nullptr);
  EXPECT_TRUE(node.armed());
  EXPECT_EQ(wheel.pop_expired(deadline + TimerWheel::kTick), &node);
}

TEST(TimerWheel, NeverCancels) {
  TimerWheel wheel(kStart);
  TimerWheel::Node node;
  wheel.arm(node, kStart + 1ms);
  wheel.arm(node, kNever);
  EXPECT_FALSE(node.armed());
  EXPECT_EQ(wheel.next_deadline(), kNever);
}

TEST(TimerWheel, PastDeadlinesFireAtTheNextOccasion) {
  TimerWheel wheel(kStart);
  pop_all(wheel, kStart + 10s);
  TimerWheel::Node past, before_start;
  wheel.arm(past, kStart + 5s);
  wheel.arm(before_start, kStart - 5s);
  EXPECT_LE(wheel.next_deadline(), kStart + 10s);
  EXPECT_EQ(pop_all(wheel, kStart + 10s).size(), 2u);
}

TEST(TimerWheel, ClockBeforeTheStartIsHarmless) {
  TimerWheel wheel(kStart);
  TimerWheel::Node node;
  wheel.arm(node, kStart);
  EXPECT_EQ(wheel.pop_expired(kStart - 1s), nullptr);
  EXPECT_EQ(wheel.pop_expired(kStart), &node);
}

TEST(TimerWheel, HandlerMayDoWhatItLikes) {
  TimerWheel wheel(kStart);
  TimerWheel::Node first, second, third;
  auto fourth = std::make_unique<TimerWheel::Node>();
  for (TimerWheel::Node* node : {&first, &second, &third, fourth.get()}) {
    wheel.arm(*node, kStart + 5ms);
  }
  const Instant now = kStart + 7ms;
  EXPECT_EQ(wheel.pop_expired(now), &first);
  second.cancel();
  fourth.reset();
  wheel.arm(first, now + 1ms);
  wheel.arm(third, now + 2ms);
  EXPECT_EQ(wheel.pop_expired(now), nullptr);
  EXPECT_EQ(wheel.pop_expired(now + 2ms), &first);
  EXPECT_EQ(wheel.pop_expired(now + 3ms), &third);
}

TEST(TimerWheel, NodesAndWheelMayDieInAnyOrder) {
  TimerWheel::Node survivor;
  {
    TimerWheel wheel(kStart);
    TimerWheel::Node short_lived;
    wheel.arm(short_lived, kStart + 5ms);
    wheel.arm(survivor, kStart + 5ms);
  }
  EXPECT_FALSE(survivor.armed());
  survivor.cancel();
  TimerWheel other(kStart);
  other.arm(survivor, kStart);
  EXPECT_EQ(other.pop_expired(kStart), &survivor);
}

TEST(TimerWheel, OwnerThatSleepsUntilEachDeadlineMissesNothing) {
  TimerWheel wheel(kStart);
  TimerWheel::Node node;
  wheel.arm(node, kStart + 100'000ms + 300us);
  int wake_ups = 0;
  Instant now = kStart;
  TimerWheel::Node* popped = nullptr;
  while (popped == nullptr) {
    ASSERT_LT(++wake_ups, 10) << "a cascade for each level, no more";
    ASSERT_GE(wheel.next_deadline(), now);
    now = wheel.next_deadline();
    popped = wheel.pop_expired(now);
  }
  EXPECT_GE(now, kStart + 100'000ms + 300us);
  EXPECT_LE(now, kStart + 100'001ms + 300us);
}

TEST(TimerWheel, SlotsAFullTurnAwayAreNotForgotten) {
  for (const std::int64_t turned : {0, 1, 255, 256, 65'535, 65'536, 16'777'215}) {
    for (const std::int64_t reach : {256, 65'536, 16'777'216}) {
      for (const std::int64_t ahead : {reach - 256, reach - 2, reach - 1, reach, reach + 1}) {
        TimerWheel wheel(kStart);
        pop_all(wheel, kStart + turned * TimerWheel::kTick);
        TimerWheel::Node node;
        const Instant deadline = kStart + (turned + ahead) * TimerWheel::kTick;
        wheel.arm(node, deadline);
        TimerWheel::Node* popped = nullptr;
        for (int i = 0; i < 5 && popped == nullptr; ++i) {
          ASSERT_LE(wheel.next_deadline(), deadline) << turned << " " << ahead;
          popped = wheel.pop_expired(wheel.next_deadline());
        }
        EXPECT_EQ(popped, &node) << turned << " " << ahead;
      }
    }
  }
}

// Random arming, cancelling and passing of time, against an ordered map that knows it all.
class Model {
 public:
  explicit Model(std::uint32_t seed) : random_(seed), nodes_(200) {}

  void step() {
    TimerWheel::Node& node = nodes_[random_() % nodes_.size()];
    switch (random_() % 8) {
      case 0:
      case 1:
      case 2:
      case 3:
        arm(node);
        break;
      case 4:
        node.cancel();
        expected_.erase(&node);
        break;
      default:
        pass_time();
        break;
    }
    check_next_deadline();
  }

 private:
  Duration some_time() {
    const int bits = static_cast<int>(random_() % 45);  // up to ten hours, all magnitudes alike
    return Duration(static_cast<std::int64_t>((random_() | std::uint64_t{1} << 33) &
                                              ((std::uint64_t{1} << bits) - 1)));
  }
  void arm(TimerWheel::Node& node) {
    const Instant deadline = now_ + some_time() - (random_() % 5 == 0 ? 3ms : 0ms);
    wheel_.arm(node, deadline);
    expected_[&node] = deadline;
  }
  void pass_time() {
    now_ += some_time();
    while (TimerWheel::Node* node = wheel_.pop_expired(now_)) {
      const auto found = expected_.find(node);
      ASSERT_NE(found, expected_.end()) << "fired although cancelled";
      ASSERT_LE(found->second, now_) << "early";
      expected_.erase(found);
    }
    for (const auto& [node, deadline] : expected_) {
      ASSERT_GT(deadline + TimerWheel::kTick, now_) << "late";
      ASSERT_TRUE(node->armed());
      ASSERT_EQ(node->deadline(), deadline);
    }
  }
  void check_next_deadline() {
    if (expected_.empty()) {
      ASSERT_EQ(wheel_.next_deadline(), kNever);
      return;
    }
    Instant earliest = kNever;
    for (const auto& [node, deadline] : expected_)
      earliest = std::min(earliest, deadline);
    ASSERT_LT(wheel_.next_deadline(), std::max(earliest, now_) + TimerWheel::kTick);
  }

  std::mt19937_64 random_;
  Instant now_ = kStart;
  std::vector<TimerWheel::Node> nodes_;
  TimerWheel wheel_{kStart};
  std::map<TimerWheel::Node*, Instant> expected_;
};

TEST(TimerWheel, EqualsAnOrderedMapInRandomRuns) {
  for (std::uint32_t seed = 1; seed <= 30; ++seed) {
    Model model(seed);
    for (int i = 0; i < 2000 && !::testing::Test::HasFatalFailure(); ++i)
      model.step();
    ASSERT_FALSE(::testing::Test::HasFatalFailure()) << "seed " << seed;
  }
}

TEST(TimerWheel, JumpOfYearsVisitsOnlySlotsInUse) {
  TimerWheel wheel(kStart);
  std::vector<TimerWheel::Node> nodes(1000);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    wheel.arm(nodes[i], kStart + static_cast<std::int64_t>(i) * 1h);
  }
  // Tick by tick this would take minutes.
  EXPECT_EQ(pop_all(wheel, kStart + 24h * 365 * 20).size(), nodes.size());
}

}  // namespace
}  // namespace migd
