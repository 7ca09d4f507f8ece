// Room that was promised is nobody else's, until its connection takes it or time gives it back.
#include "migrator/promises.h"

#include <gtest/gtest.h>

#include "tests/support/recording_sink.h"
#include "tests/support/sim_rng.h"

namespace migd {
namespace {

Tenure tenure(std::uint64_t number) {
  return {ConnectionId{NodeId{1}, Boot{1}, number}, Epoch{2}};
}

StackOptions room_for(std::uint32_t connections) {
  StackOptions options;
  options.node = NodeId{2};
  options.boot = Boot{1};
  options.connections_max = connections;
  return options;
}

struct PromisesTest : ::testing::Test {
  Instant now{1s};
  test::RecordingSink sink;
  sim::SimRng rng{1};
  Metrics metrics;
  std::unique_ptr<Stack> stack =
      Stack::create(room_for(3), sink, FramePool::create(), rng, metrics, now);
  Promises promises{*stack, now};
};

TEST_F(PromisesTest, EachTakesRoom) {
  for (std::uint64_t i = 1; i <= 3; ++i)
    EXPECT_TRUE(promises.give(tenure(i), now));
  EXPECT_EQ(stack->room(), 0u);
  EXPECT_FALSE(promises.give(tenure(4), now));
  EXPECT_TRUE(promises.give(tenure(2), now)) << "asked again";
  promises.end(tenure(1));
  EXPECT_EQ(stack->room(), 1u);
  promises.end(tenure(1));
  EXPECT_EQ(stack->room(), 1u) << "it has ended";
  EXPECT_TRUE(promises.give(tenure(4), now));
}

TEST_F(PromisesTest, TimeGivesItBack) {
  EXPECT_EQ(promises.next_deadline(), kNever);
  promises.give(tenure(1), now);
  promises.give(tenure(2), now);
  promises.give(tenure(1), now + 500ms);
  while (promises.next_deadline() < now + 1200ms)
    promises.on_deadline(promises.next_deadline());
  EXPECT_EQ(stack->room(), 2u) << "the one that was asked for again lasts longer";
  promises.on_deadline(now + 10s);
  EXPECT_EQ(stack->room(), 3u);
  EXPECT_EQ(promises.next_deadline(), kNever);
}

}  // namespace
}  // namespace migd
