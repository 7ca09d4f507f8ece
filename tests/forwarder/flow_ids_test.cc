#include "forwarder/flow_ids.h"

#include <gtest/gtest.h>

#include <set>

#include "base/limits.h"
#include "tests/support/sim_rng.h"

namespace migd {
namespace {

constexpr Instant kStart{100s};
constexpr NodeId kForwarder{1};
constexpr Boot kBoot{0xb007};

TEST(FlowPermutation, IsABijectionThatUndoes) {
  sim::SimRng rng(1);
  SipKey key;
  rng.fill(key);
  std::set<std::uint32_t> seen;
  for (std::uint32_t i = 0; i < 50000; ++i) {
    const std::uint32_t value = i < 25000 ? i : ~i;
    const std::uint32_t permuted = permute(key, value);
    EXPECT_EQ(unpermute(key, permuted), value);
    seen.insert(permuted);
  }
  EXPECT_EQ(seen.size(), 50000u);
}

TEST(FlowPermutation, DependsOnTheKey) {
  SipKey a{}, b{};
  b[0] = 1;
  int equal = 0;
  for (std::uint32_t i = 0; i < 1000; ++i)
    equal += permute(a, i) == permute(b, i) ? 1 : 0;
  EXPECT_LT(equal, 3);
}

TEST(FlowPermutation, NeighboursDifferInBothPorts) {
  const SipKey key{1, 2, 3};
  std::set<std::uint32_t> high, low;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    high.insert(permute(key, i) >> 16);
    low.insert(permute(key, i) & 0xffff);
  }
  EXPECT_GT(high.size(), 950u);
  EXPECT_GT(low.size(), 950u);
}

TEST(FlowIdLessor, NoIdentifierTwiceWhoeverTakesIt) {
  sim::SimRng rng(1);
  FlowIdLessor lessor(rng);
  FlowIdPool a, b;
  for (int i = 0; i < 3; ++i) {
    a.add({kForwarder, kBoot}, lessor.lease(kStart));
    b.add({kForwarder, kBoot}, lessor.lease(kStart));
  }
  std::set<FlowId> taken;
  std::size_t count = 0;
  for (FlowIdPool* pool : {&a, &b}) {
    while (const auto id = pool->take(kForwarder)) {
      EXPECT_NE(*id, FlowId{});
      taken.insert(*id);
      ++count;
    }
  }
  EXPECT_EQ(taken.size(), count);
  EXPECT_GE(count, 6 * limits::kFlowIdBlock - 1) << "all of them, except perhaps 0";
}

TEST(FlowIdLessor, TheCounterDoesNotComeRoundWithinTwoMsl) {
  sim::SimRng rng(1);
  FlowIdLessor lessor(rng);
  const auto blocks = static_cast<std::uint32_t>((std::uint64_t{1} << 32) / limits::kFlowIdBlock);
  for (std::uint32_t i = 0; i < blocks; ++i)
    ASSERT_EQ(lessor.lease(kStart).count, limits::kFlowIdBlock);
  constexpr Instant kReusable = kStart + 2 * limits::kMaximumSegmentLifetime;
  EXPECT_EQ(lessor.lease(kReusable - 1ns).count, 0u);
  const FlowIdLease again = lessor.lease(kReusable);
  EXPECT_EQ(again.first, 0u);
  EXPECT_EQ(again.count, limits::kFlowIdBlock);
}

TEST(FlowIdPool, IsLowBeforeItIsEmpty) {
  sim::SimRng rng(1);
  FlowIdLessor lessor(rng);
  FlowIdPool pool;
  EXPECT_TRUE(pool.is_low(kForwarder));
  EXPECT_FALSE(pool.take(kForwarder).has_value());
  pool.add({kForwarder, kBoot}, lessor.lease(kStart));
  EXPECT_FALSE(pool.is_low(kForwarder));
  EXPECT_TRUE(pool.is_low(NodeId{2})) << "each forwarder has its own";
  std::size_t taken = 0;
  while (!pool.is_low(kForwarder) && pool.take(kForwarder))
    ++taken;
  EXPECT_GT(taken, 0u);
  EXPECT_TRUE(pool.take(kForwarder).has_value());
}

TEST(FlowIdPool, AnotherBootsIdentifiersAreGone) {
  sim::SimRng rng(1);
  FlowIdPool pool;
  const SipKey old_key{1}, new_key{2};
  pool.add({kForwarder, kBoot}, {0, 100, old_key});
  pool.add({kForwarder, Boot{0xb008}}, {0, 1, new_key});
  EXPECT_EQ(pool.take(kForwarder), FlowId{permute(new_key, 0)});
  EXPECT_FALSE(pool.take(kForwarder).has_value());
}

TEST(FlowIdPool, IsBoundedWhateverAPeerLeases) {
  FlowIdPool pool;
  for (std::uint32_t i = 0; i < 1000; ++i)
    pool.add({kForwarder, kBoot}, {i << 12, 0xffffffffu, SipKey{}});
  std::size_t count = 0;
  while (pool.take(kForwarder))
    ++count;
  EXPECT_LE(count, 16 * limits::kFlowIdBlock);
}

TEST(FlowIdPool, AnEmptyLeaseIsNone) {
  FlowIdPool pool;
  pool.add({kForwarder, kBoot}, {});
  EXPECT_TRUE(pool.is_low(kForwarder));
  EXPECT_FALSE(pool.take(kForwarder).has_value());
}

TEST(FlowIdPool, ZeroMeansNoneAndIsPassedOver) {
  FlowIdPool pool;
  const SipKey key{9};
  const std::uint32_t zero = unpermute(key, 0);
  pool.add({kForwarder, kBoot}, {zero, 2, key});
  EXPECT_EQ(pool.take(kForwarder), FlowId{permute(key, zero + 1)});
  EXPECT_FALSE(pool.take(kForwarder).has_value());
}

TEST(FlowIdPool, CountsOverTheEndOfTheCounter) {
  FlowIdPool pool;
  const SipKey key{9};
  pool.add({kForwarder, kBoot}, {0xffffffffu, 2, key});
  EXPECT_EQ(pool.take(kForwarder), FlowId{permute(key, 0xffffffffu)});
  EXPECT_EQ(pool.take(kForwarder), FlowId{permute(key, 0)});
}

}  // namespace
}  // namespace migd
