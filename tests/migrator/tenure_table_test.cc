#include "migrator/tenure_table.h"

#include <gtest/gtest.h>

namespace migd {
namespace {

ConnectionId connection(std::uint64_t counter) {
  return {NodeId{1}, Boot{2}, counter};
}
Tenure tenure(std::uint64_t counter, std::uint32_t epoch) {
  return {connection(counter), Epoch{epoch}};
}

struct TenureTableTest : ::testing::Test {
  void put(std::uint64_t counter, std::uint32_t epoch, int value) {
    table.put(tenure(counter, epoch), std::make_unique<int>(value));
  }
  TenureTable<int> table;
};

TEST_F(TenureTableTest, FindsWhatWasPut) {
  put(1, 2, 12);
  put(1, 3, 13);
  put(7, 2, 72);
  EXPECT_EQ(*table.find(tenure(1, 2)), 12);
  EXPECT_EQ(*table.find(tenure(1, 3)), 13);
  EXPECT_EQ(*table.find(tenure(7, 2)), 72);
  EXPECT_EQ(table.find(tenure(7, 3)), nullptr);
  EXPECT_EQ(table.find(tenure(2, 2)), nullptr);
  put(1, 2, 120);
  EXPECT_EQ(*table.find(tenure(1, 2)), 120);
}

TEST_F(TenureTableTest, KnowsTheHighestEpochWhateverTheOrder) {
  put(1, 5, 15);
  put(1, 2, 12);
  put(1, 4, 14);
  EXPECT_EQ(table.latest_epoch(connection(1)), Epoch{5});
  EXPECT_EQ(*table.latest(connection(1)), 15);
  EXPECT_EQ(table.latest_epoch(connection(2)), Epoch{});
  EXPECT_EQ(table.latest(connection(2)), nullptr);
}

TEST_F(TenureTableTest, IsVisitedFromBelowAnEpochDownUntilToldToStop) {
  for (const int epoch : {2, 3, 4, 5})
    put(1, static_cast<std::uint32_t>(epoch), epoch);
  put(2, 3, 99);
  std::vector<int> seen;
  table.visit_down(connection(1), Epoch{5}, [&](int value) {
    seen.push_back(value);
    return value != 3;
  });
  EXPECT_EQ(seen, (std::vector{4, 3}));
}

TEST_F(TenureTableTest, TakenIsGone) {
  put(1, 2, 12);
  put(1, 3, 13);
  EXPECT_EQ(*table.take(tenure(1, 3)), 13);
  EXPECT_EQ(table.take(tenure(1, 3)), nullptr);
  EXPECT_EQ(table.latest_epoch(connection(1)), Epoch{2});
  EXPECT_EQ(*table.take(tenure(1, 2)), 12);
  EXPECT_EQ(table.latest(connection(1)), nullptr);
  int left = 0;
  table.for_each([&](const Tenure&, int) { ++left; });
  EXPECT_EQ(left, 0);
}

}  // namespace
}  // namespace migd
