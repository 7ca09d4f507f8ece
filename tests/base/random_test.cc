#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace migd {
namespace {

TEST(SystemRng, GivesNothingTwice) {
  SystemRng rng;
  std::set<std::uint64_t> values;
  for (int i = 0; i < 10'000; ++i)
    values.insert(rng.u64());
  EXPECT_EQ(values.size(), 10'000u);
}

TEST(SystemRng, TwoOfThemAreNotAlike) {
  SystemRng one;
  SystemRng other;
  EXPECT_NE(one.u64(), other.u64());
}

// Also across the end of what it has in stock, and more than that.
TEST(SystemRng, FillsWhateverIsAsked) {
  SystemRng rng;
  for (std::size_t size = 0; size < 3000; size += 7) {
    std::vector<std::uint8_t> out(size, 0);
    rng.fill(out);
    for (std::size_t at = 0; at + 16 <= size; at += 16) {
      EXPECT_TRUE(std::any_of(out.begin() + std::ptrdiff_t(at),
                              out.begin() + std::ptrdiff_t(at) + 16,
                              [](std::uint8_t byte) { return byte != 0; }))
          << size << " bytes, at " << at;
    }
  }
}

}  // namespace
}  // namespace migd
