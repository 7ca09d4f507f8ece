#include "base/large_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "base/slab.h"

namespace migd::test {
namespace {

struct Thing {
  std::uint64_t value = 7;
  std::uint64_t other[11] = {};
};

TEST(LargeAllocatorTest, KeepsWhatAVectorHoldsWhileItGrows) {
  std::vector<std::uint64_t, LargeAllocator<std::uint64_t>> values;
  const std::uint64_t many = 4 * LargeAllocator<std::uint64_t>::kLarge / sizeof(std::uint64_t);
  for (std::uint64_t i = 0; i < many; ++i)
    values.push_back(i);
  for (std::uint64_t i = 0; i < many; ++i)
    ASSERT_EQ(values[i], i);
}

TEST(LargeAllocatorTest, LargeOnesBeginAtALargePage) {
  LargeAllocator<char> allocator;
  char* const memory = allocator.allocate(LargeAllocator<char>::kLarge + 1);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % LargeMemory::kLargePage, 0u);
  memory[LargeAllocator<char>::kLarge] = 1;
  allocator.deallocate(memory, LargeAllocator<char>::kLarge + 1);
}

TEST(SlabTest, ThingsDoNotMoveWhileItGrowsAndBeginAsNew) {
  constexpr std::size_t kMost = 200'000;  // past the point where it asks for large pages
  Slab<Thing> slab(kMost);
  Thing& first = slab.emplace_back();
  first.value = 1;
  for (std::size_t i = 1; i < kMost; ++i) {
    Thing& thing = slab.emplace_back();
    ASSERT_EQ(thing.value, 7u);
    thing.value = i;
  }
  EXPECT_EQ(slab.size(), kMost);
  EXPECT_EQ(&first, &slab[0]);
  EXPECT_EQ(slab[0].value, 1u);
  EXPECT_EQ(slab[kMost - 1].value, kMost - 1);
}

TEST(SlabDeathTest, HoldsNoMoreThanItWasMadeFor) {
  Slab<Thing> slab(1);
  slab.emplace_back();
  EXPECT_DEATH(slab.emplace_back(), "size_ < most_");
}

}  // namespace
}  // namespace migd::test
