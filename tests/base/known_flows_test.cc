#include "base/known_flows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace migd {
namespace {

constexpr KnownFlows::Secret kSecret{0x0123456789abcdef, 0x9e3779b97f4a7c15};

FourTuple flow(std::uint32_t client, std::uint16_t port = 40000) {
  return {{IpAddress::v4(0x0a4d6401), 80}, {IpAddress::v4(0x0a4d0000 + client), port}};
}

struct KnownFlowsTest : ::testing::Test {
  std::vector<std::uint8_t> slots = std::vector<std::uint8_t>(KnownFlows::kSlots);
  KnownFlows known{slots.data(), kSecret};

  bool forgotten() const {
    return std::all_of(slots.begin(), slots.end(), [](std::uint8_t slot) { return slot == 0; });
  }
};

TEST_F(KnownFlowsTest, KnowsWhatWasAddedUntilItIsRemoved) {
  EXPECT_FALSE(known.knows(flow(1)));
  known.add(flow(1));
  EXPECT_TRUE(known.knows(flow(1)));
  known.remove(flow(1));
  EXPECT_FALSE(known.knows(flow(1)));
  EXPECT_TRUE(forgotten());
  EXPECT_EQ(known.added(), 1u);
}

TEST_F(KnownFlowsTest, OneThatTwoTablesHaveIsKnownUntilBothHaveLetGo) {
  known.add(flow(1));
  known.add(flow(1));
  known.remove(flow(1));
  EXPECT_TRUE(known.knows(flow(1)));
  known.remove(flow(1));
  EXPECT_TRUE(forgotten());
}

TEST_F(KnownFlowsTest, EachPartOfTheFourTupleCounts) {
  const FourTuple added = flow(1);
  known.add(added);
  FourTuple other = added;
  other.peer.port ^= 1;
  EXPECT_FALSE(known.knows(other));
  other = added;
  other.local.port ^= 1;
  EXPECT_FALSE(known.knows(other));
  other = added;
  other.local.address = IpAddress::v4(0x0a4d6402);
  EXPECT_FALSE(known.knows(other));
  EXPECT_FALSE(known.knows(flow(2)));
  std::swap(other.local, other.peer);
  EXPECT_FALSE(known.knows(other));
}

TEST_F(KnownFlowsTest, KnowsAllThatGoesToADestination) {
  known.add_destination(IpAddress::v4(0x0a4d6401));
  EXPECT_TRUE(known.knows(flow(1)));
  EXPECT_TRUE(known.knows(flow(2, 7)));
  FourTuple elsewhere = flow(1);
  elsewhere.local.address = *IpAddress::parse("fd77::1");
  EXPECT_FALSE(known.knows(elsewhere));
}

// As often as a counter is in use, and one secret's collisions are not another's.
TEST_F(KnownFlowsTest, TakesFewStrangersForKnown) {
  constexpr std::uint32_t kFlows = 50'000;
  for (std::uint32_t i = 0; i < kFlows; ++i)
    known.add(flow(i));
  int mistaken = 0;
  for (std::uint32_t i = 0; i < kFlows; ++i)
    mistaken += known.knows(flow(kFlows + i)) ? 1 : 0;
  EXPECT_NEAR(static_cast<double>(mistaken) / kFlows, 50'000.0 / KnownFlows::kSlots, 0.01);
  for (std::uint32_t i = 0; i < kFlows; ++i)
    known.remove(flow(i));
  EXPECT_TRUE(forgotten());
}

TEST_F(KnownFlowsTest, CountsNoFurtherThanAByteAndNeverForgetsThen) {
  for (int i = 0; i < 300; ++i)
    known.add(flow(1));
  for (int i = 0; i < 300; ++i)
    known.remove(flow(1));
  EXPECT_TRUE(known.knows(flow(1)));
}

using KnownFlowsDeathTest = KnownFlowsTest;

TEST_F(KnownFlowsDeathTest, RemovesOnlyWhatWasAdded) {
  EXPECT_DEATH(known.remove(flow(1)), "count > 0");
}

}  // namespace
}  // namespace migd
