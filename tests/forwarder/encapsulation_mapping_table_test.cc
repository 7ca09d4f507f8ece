#include "forwarder/encapsulation_mapping_table.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/forwarder/test_nodes.h"

namespace migd {
namespace {

using test::connection_id;

constexpr NodeId kF{1}, kG{2};
constexpr Boot kBoot{0xb001}, kNextBoot{0xb002};
constexpr Duration kRetirement = 2 * limits::kMaximumSegmentLifetime;

struct EncapsulationMappingTableTest : ::testing::Test {
  EncapsulationMappingTable table{100};
  Instant now{100s};

  bool map(NodeId from, std::uint32_t flow, std::uint64_t connection, Boot boot = kBoot) {
    return table.map(from, boot, FlowId{flow}, {test::tuple_v4(), connection_id(connection)}, now)
        .has_value();
  }
  std::uint64_t find(NodeId from, std::uint32_t flow) const {
    const auto* mapping = table.find(from, FlowId{flow});
    return mapping == nullptr ? 0 : mapping->connection.counter;
  }
};

TEST_F(EncapsulationMappingTableTest, ForwardersHaveTheirOwnIdentifiers) {
  EXPECT_TRUE(map(kF, 5, 1));
  EXPECT_TRUE(map(kG, 5, 2));
  EXPECT_EQ(find(kF, 5), 1u);
  EXPECT_EQ(find(kG, 5), 2u);
  EXPECT_EQ(find(kF, 6), 0u);
}

TEST_F(EncapsulationMappingTableTest, RepeatedMappingIsFineAnotherConnectionsIsNot) {
  EXPECT_TRUE(map(kF, 5, 1));
  EXPECT_TRUE(map(kF, 5, 1));
  EXPECT_EQ(table.size(), 1u);
  EXPECT_FALSE(map(kF, 5, 2));
  EXPECT_EQ(find(kF, 5), 1u);
}

TEST_F(EncapsulationMappingTableTest, RetiredIdentifiersResolveForTwoMslAndStayTaken) {
  map(kF, 5, 1);
  table.unmap(connection_id(1), now);
  now += kRetirement - 1ns;
  EXPECT_EQ(find(kF, 5), 1u);
  EXPECT_FALSE(map(kF, 5, 2));
  now += 1ns;
  EXPECT_TRUE(map(kF, 5, 2));
  EXPECT_EQ(find(kF, 5), 2u);
}

TEST_F(EncapsulationMappingTableTest, RetiredIdentifiersAreForgottenInTime) {
  map(kF, 5, 1);
  EXPECT_EQ(table.next_deadline(), kNever);
  table.unmap(connection_id(1), now);
  ASSERT_EQ(table.next_deadline(), now + kRetirement);
  table.on_deadline(now + kRetirement);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.next_deadline(), kNever);
}

TEST_F(EncapsulationMappingTableTest, UnmapRetiresEveryIdentifierOfTheConnection) {
  map(kF, 5, 1);
  map(kF, 6, 1);
  map(kG, 7, 1);
  map(kG, 8, 2);
  table.unmap(connection_id(1), now);
  now += kRetirement;
  table.unmap(connection_id(99), now);
  EXPECT_EQ(table.size(), 1u);
  EXPECT_EQ(find(kG, 8), 2u);
}

TEST_F(EncapsulationMappingTableTest, MappedAgainMeansNotRetired) {
  map(kF, 5, 1);
  table.unmap(connection_id(1), now);
  EXPECT_TRUE(map(kF, 5, 1));
  now += 2 * kRetirement;
  table.unmap(connection_id(99), now);
  EXPECT_EQ(find(kF, 5), 1u);
}

TEST_F(EncapsulationMappingTableTest, RetiredTwiceResolvesFromTheSecondTimeOn) {
  map(kF, 5, 1);
  table.unmap(connection_id(1), now);
  map(kF, 5, 1);
  now += kRetirement - 1s;
  table.unmap(connection_id(1), now);
  now += kRetirement - 1ns;
  table.unmap(connection_id(99), now);
  EXPECT_EQ(find(kF, 5), 1u);
  now += 1ns;
  table.unmap(connection_id(99), now);
  EXPECT_EQ(find(kF, 5), 0u);
}

TEST_F(EncapsulationMappingTableTest, AnotherBootDropsWhatTheForwarderMapped) {
  table.set_boot(kF, kBoot);
  map(kF, 5, 1);
  map(kF, 6, 1);
  map(kG, 5, 1);
  table.set_boot(kF, kBoot);
  EXPECT_EQ(table.size(), 3u);
  table.set_boot(kF, kNextBoot);
  EXPECT_EQ(find(kF, 5), 0u);
  EXPECT_EQ(find(kG, 5), 1u);
  EXPECT_FALSE(map(kF, 7, 1, kBoot)) << "of the boot that is over";
  EXPECT_TRUE(map(kF, 5, 3, kNextBoot));
}

TEST_F(EncapsulationMappingTableTest, RetirementOfAnEarlierBootDoesNotTouchTheNext) {
  map(kF, 5, 1);
  table.unmap(connection_id(1), now);
  table.set_boot(kF, kNextBoot);
  map(kF, 5, 2, kNextBoot);
  now += kRetirement;
  table.unmap(connection_id(99), now);
  EXPECT_EQ(find(kF, 5), 2u);
}

TEST_F(EncapsulationMappingTableTest, IsBounded) {
  for (std::uint32_t i = 0; i < 100; ++i)
    EXPECT_TRUE(map(kF, i, i + 1));
  EXPECT_FALSE(map(kF, 100, 101));
  table.unmap(connection_id(1), now);
  now += kRetirement;
  EXPECT_TRUE(map(kF, 100, 101));
}

// A connection that moves back and forth gets a new identifier each time it comes.
TEST_F(EncapsulationMappingTableTest, ManyReturnsOfOneConnection) {
  EncapsulationMappingTable large;
  constexpr std::uint32_t kReturns = 200000;  // of which none may look at all the earlier ones
  for (std::uint32_t i = 0; i < kReturns; ++i) {
    large.map(kF, kBoot, FlowId{i}, {test::tuple_v4(), connection_id(1)}, now);
    large.unmap(connection_id(1), now);
    now += 1ms;
  }
  EXPECT_LE(large.size(), 60001u);
  EXPECT_NE(large.find(kF, FlowId{kReturns - 1}), nullptr);
  EXPECT_EQ(large.find(kF, FlowId{kReturns - 60002}), nullptr);
}

TEST_F(EncapsulationMappingTableTest, ListsStayWholeOverRandomSteps) {
  sim::SimRng rng(5);
  for (int step = 0; step < 20000; ++step) {
    now += Duration(rng.below(2'000'000'000));
    const std::uint64_t connection = rng.between(1, 8);
    if (rng.chance(0.3)) {
      table.unmap(connection_id(connection), now);
    } else if (rng.chance(0.02)) {
      table.set_boot(kG, Boot{rng.between(1, 3)});
    } else {
      const NodeId from = rng.chance(0.5) ? kF : kG;
      table.map(from, from == kF ? kBoot : Boot{rng.between(1, 3)},
                FlowId{static_cast<std::uint32_t>(rng.below(40))},
                {test::tuple_v4(), connection_id(connection)}, now);
    }
    ASSERT_LE(table.size(), 80u);
  }
  for (std::uint64_t c = 1; c <= 8; ++c)
    table.unmap(connection_id(c), now);
  now += kRetirement;
  table.unmap(connection_id(99), now);
  EXPECT_EQ(table.size(), 0u) << "every entry was on its connection's list";
}

}  // namespace
}  // namespace migd
