#include "migrator/hold_queue.h"

#include <gtest/gtest.h>

namespace migd {
namespace {

TEST(HoldQueue, KeepsTheOrder) {
  const auto pool = FramePool::create();
  HoldQueue queue(1 << 20);
  for (std::uint8_t i = 0; i < 10; ++i) {
    Frame frame = pool->copy_of(Bytes{i});
    ASSERT_TRUE(queue.push(frame));
  }
  std::uint8_t next = 0;
  for (Frame& frame : queue.take())
    EXPECT_EQ(frame.bytes()[0], next++);
  EXPECT_EQ(next, 10);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.charge(), 0u);
}

TEST(HoldQueue, TakesAFullWindow) {
  const auto pool = FramePool::create();
  constexpr std::uint32_t kWindow = 1 << 20;
  HoldQueue queue(kWindow);
  for (std::uint32_t held = 0; held < kWindow; held += 32768) {
    Frame frame = pool->allocate(32768 + 52);
    ASSERT_TRUE(queue.push(frame)) << held;
  }
}

TEST(HoldQueue, BytesAreBounded) {
  const auto pool = FramePool::create();
  HoldQueue queue(10'000);
  std::size_t taken = 0;
  for (int i = 0; i < 1000; ++i) {
    Frame frame = pool->allocate(60'000);
    if (queue.push(frame)) {
      ++taken;
    } else {
      EXPECT_TRUE(frame);  // left with the caller
    }
  }
  EXPECT_EQ(taken, 1u);
}

TEST(HoldQueue, BuffersBehindTinyPacketsAreBounded) {
  const auto pool = FramePool::create();
  HoldQueue queue(10'000);
  for (int i = 0; i < 10'000; ++i) {
    Frame frame = pool->allocate(41);
    queue.push(frame);
  }
  EXPECT_LE(queue.charge(), 2 * limits::kWindowMax + (512u << 10));
}

}  // namespace
}  // namespace migd
