#include "base/seq.h"

#include <gtest/gtest.h>

#include <random>

namespace migd {
namespace {

TEST(SeqNum, ComparesAcrossTheWrap) {
  const SeqNum before(0xfffffff0), after(0x10);
  EXPECT_LT(before, after);
  EXPECT_GT(after, before);
  EXPECT_LE(before, before);
  EXPECT_EQ(after - before, 0x20);
  EXPECT_EQ(before - after, -0x20);
  EXPECT_EQ(before + 0x20, after);
  EXPECT_EQ(after - 0x20u, before);
}

TEST(SeqNum, OrderFollowsSignedDistance) {
  std::mt19937 random(1);
  for (int i = 0; i < 10'000; ++i) {
    const SeqNum a(static_cast<std::uint32_t>(random()));
    const std::uint32_t n = 1 + random() % 0x7fffffff;
    ASSERT_LT(a, a + n);
    ASSERT_EQ((a + n) - a, static_cast<std::int32_t>(n));
  }
}

TEST(SeqNum, Windows) {
  const SeqNum first(0xfffffffe);
  EXPECT_TRUE(first.in_window(first, 1));
  EXPECT_TRUE(SeqNum(1).in_window(first, 4));
  EXPECT_FALSE(SeqNum(2).in_window(first, 4));
  EXPECT_FALSE(SeqNum(0xfffffffd).in_window(first, 4));
  EXPECT_FALSE(first.in_window(first, 0));
}

}  // namespace
}  // namespace migd
