#include "stack/links/fault_line.h"

#include <gtest/gtest.h>

#include "tests/support/sim_rng.h"

namespace migd {
namespace {

using sim::SimRng;

// Sends numbered frames and notes the numbers and times of what comes out.
class Path {
 public:
  explicit Path(const FaultOptions& options, std::uint64_t seed = 1)
      : rng_(seed), line(options, rng_, [this](Frame frame, Instant now) {
          numbers.push_back(frame.data()[0] << 8 | frame.data()[1]);
          times.push_back(now);
          frames.push_back(std::move(frame));
        }) {}

  void send(int number, Instant now) {
    Bytes bytes(100, 0);
    bytes[0] = static_cast<std::uint8_t>(number >> 8);
    bytes[1] = static_cast<std::uint8_t>(number);
    line.input(pool_->copy_of(bytes), now);
  }
  void run_until(Instant end) {
    while (line.next_deadline() <= end)
      line.on_deadline(line.next_deadline());
  }
  void send_many(int n, Duration interval) {
    for (int i = 0; i < n; ++i) {
      run_until(Instant(i * interval));
      send(i, Instant(i * interval));
    }
  }

 private:
  std::shared_ptr<FramePool> pool_ = FramePool::create();
  SimRng rng_;

 public:
  std::vector<int> numbers;
  std::vector<Instant> times;
  std::vector<Frame> frames;
  FaultLine line;
};

std::vector<int> in_order(int n) {
  std::vector<int> numbers;
  for (int i = 0; i < n; ++i)
    numbers.push_back(i);
  return numbers;
}

TEST(FaultLine, WithoutFaultsEverythingPassesAtOnce) {
  Path path({});
  path.send_many(100, 1ms);
  EXPECT_EQ(path.numbers, in_order(100));
  EXPECT_EQ(path.times[99], Instant(99ms));
  EXPECT_EQ(path.line.next_deadline(), kNever);
  EXPECT_FALSE(FaultOptions{}.any());
}

TEST(FaultLine, LosesAboutAsManyAsItIsTold) {
  Path path({.loss = 0.25});
  path.send_many(4000, 1us);
  EXPECT_EQ(path.numbers.size() + path.line.counters().lost, 4000u);
  EXPECT_GT(path.line.counters().lost, 850u);
  EXPECT_LT(path.line.counters().lost, 1150u);
  EXPECT_TRUE(std::is_sorted(path.numbers.begin(), path.numbers.end()));

  Path nothing({.loss = 1});
  nothing.send_many(100, 1us);
  EXPECT_TRUE(nothing.numbers.empty());
}

TEST(FaultLine, EqualSeedsGiveEqualFaults) {
  const FaultOptions all{.loss = 0.1,
                         .corruption = 0.1,
                         .duplication = 0.1,
                         .reordering = 0.1,
                         .delay = 1ms,
                         .jitter = 1ms};
  const auto run = [&](std::uint64_t seed) {
    Path path(all, seed);
    path.send_many(500, 100us);
    path.run_until(Instant(10s));
    std::vector<Bytes> frames;
    for (const Frame& frame : path.frames)
      frames.push_back(to_bytes(frame.bytes()));
    return std::pair(path.times, frames);
  };
  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
}

TEST(FaultLine, DuplicatesFollowAtOnce) {
  Path path({.duplication = 1});
  path.send_many(3, 1ms);
  EXPECT_EQ(path.numbers, (std::vector<int>{0, 0, 1, 1, 2, 2}));
  EXPECT_EQ(path.line.counters().duplicated, 3u);
}

TEST(FaultLine, DamageIsOneBitAndIsNotTrusted) {
  Path path({.corruption = 1});
  Bytes bytes(100, 0);
  for (int i = 0; i < 200; ++i) {
    const auto pool = FramePool::create();
    Frame frame = pool->copy_of(bytes);
    frame.offload.checksum = Offload::Checksum::kVerified;
    path.line.input(std::move(frame), Instant{});
    int bits = 0;
    for (const std::uint8_t byte : path.frames.back().bytes())
      bits += __builtin_popcount(byte);
    EXPECT_EQ(bits, 1);
    EXPECT_EQ(path.frames.back().offload.checksum, Offload::Checksum::kUnknown);
  }
}

TEST(FaultLine, ReorderedFramesLetOthersPass) {
  FaultOptions options{.reordering = 1, .reorder_frames = 2, .reorder_time = 1s};
  Path path(options);
  path.send(0, Instant{});
  options.reordering = 0;
  path.line.set_options(options);
  for (int i = 1; i < 4; ++i)
    path.send(i, Instant(i * 1ms));
  EXPECT_EQ(path.numbers, (std::vector<int>{1, 2, 0, 3}));
  EXPECT_EQ(path.line.next_deadline(), kNever);
}

TEST(FaultLine, ReorderedFrameIsFreedByTimeWhenNothingFollows) {
  Path path({.reordering = 1, .reorder_frames = 3, .reorder_time = 2ms});
  path.send(0, Instant(1ms));
  EXPECT_TRUE(path.numbers.empty());
  EXPECT_EQ(path.line.next_deadline(), Instant(3ms));
  path.line.on_deadline(Instant(2ms));
  EXPECT_TRUE(path.numbers.empty());
  path.line.on_deadline(Instant(3ms));
  EXPECT_EQ(path.numbers, in_order(1));
}

TEST(FaultLine, DelayKeepsTheOrder) {
  Path path({.delay = 5ms, .jitter = 3ms});
  path.send_many(1000, 100us);
  path.run_until(Instant(10s));
  EXPECT_EQ(path.numbers, in_order(1000));
  for (int i = 0; i < 1000; ++i) {
    const auto at = static_cast<std::size_t>(i);
    EXPECT_GE(path.times[at], Instant(i * 100us + 5ms));
    EXPECT_LE(path.times[at], Instant(i * 100us + 8ms));
  }
}

TEST(FaultLine, ShorterDelayDoesNotOvertake) {
  Path path({.delay = 5ms});
  path.send(0, Instant{});
  path.line.set_options({});
  path.send(1, Instant(1ms));
  EXPECT_TRUE(path.numbers.empty());
  path.run_until(Instant(1s));
  EXPECT_EQ(path.numbers, in_order(2));
  path.send(2, Instant(1s));
  EXPECT_EQ(path.numbers, in_order(3)) << "at once again";
}

TEST(FaultLine, EveryFrameComesOutExactlyOnceWhateverTheOrder) {
  Path path({.reordering = 0.3,
             .delay = 200us,
             .jitter = 500us,
             .reorder_frames = 4,
             .reorder_time = 800us});
  path.send_many(2000, 50us);
  path.run_until(Instant(10s));
  std::vector<int> sorted = path.numbers;
  EXPECT_FALSE(std::is_sorted(sorted.begin(), sorted.end()));
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(sorted, in_order(2000));
  EXPECT_GT(path.line.counters().reordered, 500u);
}

}  // namespace
}  // namespace migd
