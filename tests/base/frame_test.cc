#include "base/frame.h"

#include <gtest/gtest.h>

namespace migd {
namespace {

TEST(Frame, HasHeadroomAndTailroom) {
  const auto pool = FramePool::create();
  Frame frame = pool->allocate(100);
  EXPECT_TRUE(frame);
  EXPECT_EQ(frame.size(), 100u);
  EXPECT_GE(frame.headroom(), Frame::kHeadroom);
  EXPECT_EQ(frame.headroom() + frame.size() + frame.tailroom(), frame.charge());
}

TEST(Frame, GrowsAndShrinksAtBothEnds) {
  const auto pool = FramePool::create();
  Frame frame = pool->copy_of(Bytes{1, 2, 3, 4});
  const MutableBytes head = frame.prepend(2);
  head[0] = 10;
  head[1] = 11;
  frame.append(1)[0] = 20;
  EXPECT_EQ(to_bytes(frame.bytes()), (Bytes{10, 11, 1, 2, 3, 4, 20}));
  frame.trim_front(3);
  frame.truncate(2);
  EXPECT_EQ(to_bytes(frame.bytes()), (Bytes{2, 3}));
}

TEST(Frame, MovesAndLeavesNothingBehind) {
  const auto pool = FramePool::create();
  Frame a = pool->copy_of(Bytes{1});
  a.offload.gso_size = 7;
  Frame b = std::move(a);
  EXPECT_FALSE(a);  // NOLINT: that is the point
  EXPECT_EQ(b.offload.gso_size, 7);
  Frame c = pool->copy_of(Bytes{2});
  c = std::move(b);
  EXPECT_EQ(c.data()[0], 1);
  Frame& self = c;
  c = std::move(self);
  EXPECT_EQ(c.data()[0], 1);
}

TEST(Frame, CloneIsACopy) {
  const auto pool = FramePool::create();
  Frame a = pool->copy_of(Bytes{1, 2});
  a.offload = {Offload::Gso::kTcp, 1000, Offload::Checksum::kPartial};
  Frame b = a.clone();
  b.data()[0] = 9;
  EXPECT_EQ(to_bytes(a.bytes()), (Bytes{1, 2}));
  EXPECT_EQ(b.offload, a.offload);
}

TEST(FramePool, ReusesBuffers) {
  const auto pool = FramePool::create();
  const std::uint8_t* buffer = pool->allocate(1500).data();
  EXPECT_EQ(pool->allocate(40).data(), buffer) << "the small class";
  const std::uint8_t* large = pool->allocate(60'000).data();
  EXPECT_NE(large, buffer);
  EXPECT_EQ(pool->allocate(FramePool::kLargest).data(), large) << "the large class";
}

TEST(FramePool, ChargesTheBuffer) {
  const auto pool = FramePool::create();
  EXPECT_EQ(pool->allocate(1).charge(), FramePool::kSmall);
  EXPECT_EQ(pool->allocate(FramePool::kSmall - Frame::kHeadroom).charge(), FramePool::kSmall);
  EXPECT_GE(pool->allocate(FramePool::kSmall - Frame::kHeadroom + 1).charge(), FramePool::kLargest);
}

TEST(FramePool, KnowsWhatItHasLent) {
  const auto pool = FramePool::create();
  Frame first = pool->allocate(1);
  {
    const Frame second = pool->allocate(FramePool::kLargest);
    EXPECT_EQ(pool->lent(), first.charge() + second.charge());
  }
  EXPECT_EQ(pool->lent(), first.charge());
  first = Frame();
  EXPECT_EQ(pool->lent(), 0u);
}

TEST(FramePool, FramesKeepItAlive) {
  Frame frame;
  {
    const auto pool = FramePool::create();
    frame = pool->copy_of(Bytes{1});
  }
  EXPECT_EQ(frame.data()[0], 1);
  frame = Frame();
}

TEST(FrameDeathTest, ProgrammingErrors) {
  const auto pool = FramePool::create();
  Frame frame = pool->allocate(10);
  EXPECT_DEATH(frame.prepend(frame.headroom() + 1), "check failed");
  EXPECT_DEATH(frame.append(frame.tailroom() + 1), "check failed");
  EXPECT_DEATH(frame.trim_front(11), "check failed");
  EXPECT_DEATH(frame.truncate(11), "check failed");
  EXPECT_DEATH(pool->allocate(FramePool::kLargest + 1), "check failed");
}

}  // namespace
}  // namespace migd
