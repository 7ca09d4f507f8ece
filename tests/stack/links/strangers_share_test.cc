#include "stack/links/strangers_share.h"

#include <gtest/gtest.h>

namespace migd {
namespace {

struct StrangersShareTest : ::testing::Test {
  StrangersShare share;

  void begin_flood() {
    for (int i = 1; i < StrangersShare::kPatience; ++i)
      EXPECT_EQ(share.after_batch(false, 1ms, true), 0ms);
  }
};

TEST_F(StrangersShareTest, BurstsAreReadAtOnce) {
  for (int burst = 0; burst < 10; ++burst) {
    begin_flood();
    EXPECT_EQ(share.after_batch(true, 1ms, true), 0ms);
  }
}

TEST_F(StrangersShareTest, AFloodGetsItsShareForAsLongAsItLasts) {
  const int before = share.budget();
  begin_flood();
  for (int i = 0; i < 1000; ++i)
    EXPECT_EQ(share.after_batch(false, 300us, true), StrangersShare::kRest * 300us);
  EXPECT_EQ(share.after_batch(false, 1s, true), StrangersShare::kRestMax);
  EXPECT_LT(share.budget(), before);
  EXPECT_EQ(share.after_batch(true, 300us, true), 0ms);
  EXPECT_EQ(share.after_batch(false, 300us, true), 0ms);
  EXPECT_EQ(share.budget(), before);
}

TEST_F(StrangersShareTest, AFloodGetsWhatNobodyElseWants) {
  begin_flood();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(share.after_batch(false, 300us, false), 0ms);
    EXPECT_EQ(share.after_batch(false, 300us, true), StrangersShare::kRest * 300us);
  }
}

}  // namespace
}  // namespace migd
