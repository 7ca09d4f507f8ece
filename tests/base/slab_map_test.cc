#include "base/slab_map.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace migd::test {
namespace {

struct Hash {
  std::size_t operator()(std::uint64_t key) const { return key * 0x9e3779b97f4a7c15u; }
};
struct Value {
  std::uint64_t number = 0;
  std::uint64_t other[9] = {};
};
using Map = SlabMap<std::uint64_t, Value, Hash>;

TEST(SlabMapTest, HoldsWhatAMapHolds) {
  std::mt19937 random(7);
  constexpr std::size_t kMost = 300;
  Map map(kMost);
  std::map<std::uint64_t, std::uint64_t> expected;
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    const std::uint64_t key = random() % (2 * kMost);
    if (random() % 2 == 0 && expected.size() < kMost) {
      EXPECT_EQ(map.put(key, {i, {}}).number, i);
      expected[key] = i;
    } else {
      EXPECT_EQ(map.erase(key), expected.erase(key) == 1);
    }
    ASSERT_EQ(map.size(), expected.size());
    const Value* const found = map.find(key);
    ASSERT_EQ(found != nullptr, expected.contains(key));
    ASSERT_TRUE(found == nullptr || found->number == expected[key]);
  }
  std::map<std::uint64_t, std::uint64_t> visited;
  map.for_each([&](std::uint64_t key, const Value& value) { visited[key] = value.number; });
  EXPECT_EQ(visited, expected);
}

TEST(SlabMapTest, EntriesStayWhereTheyAreAndManyAreGivenBack) {
  constexpr std::uint64_t kMany = 200'000;  // of 80 bytes: past the point of large pages
  Map map(kMany);
  for (int round = 0; round < 2; ++round) {
    const Value* const first = &map.put(0, {5, {}});
    for (std::uint64_t key = 1; key < kMany; ++key)
      map.put(key, {key, {}});
    EXPECT_EQ(map.find(0), first);
    EXPECT_EQ(first->number, 5u);
    EXPECT_EQ(map.find(kMany - 1)->number, kMany - 1);
    EXPECT_DEATH(map.put(kMany, {}), "size_ < most_");
    for (std::uint64_t key = 0; key < kMany; ++key)
      ASSERT_TRUE(map.erase(key));
    EXPECT_TRUE(map.empty());
    EXPECT_EQ(map.find(0), nullptr);
  }
}

}  // namespace
}  // namespace migd::test
