#include "forwarder/mapping_table.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "base/limits.h"
#include "tests/forwarder/test_nodes.h"

namespace migd {
namespace {

using test::connection_id;
using test::endpoint;

constexpr Instant kStart{100s};
constexpr Duration kQuiet = 2 * limits::kMaximumSegmentLifetime;

FourTuple tuple(std::uint16_t port) {
  return {endpoint("10.77.0.200:80"), {IpAddress::v4(0x0a4d0001), port}};
}

MappingRequest request(const ConnectionId& connection, std::uint32_t epoch, std::uint16_t owner,
                       std::uint32_t flow = 5) {
  return {tuple(1), {connection, Epoch{epoch}}, NodeId{owner}, FlowId{flow}};
}

TEST(MappingTableKnownFlowsTest, AreThoseThatItHas) {
  std::vector<std::uint8_t> slots(KnownFlows::kSlots);
  KnownFlows known(slots.data(), {1, 0x9e3779b97f4a7c15});
  MappingTable table({.mappings_max = 2, .idle_max = 1h, .known_flows = &known}, SipKey{});
  const auto install = [&](std::uint16_t port, Instant now) {
    MappingRequest r = request(connection_id(port), 2, 1);
    r.tuple = tuple(port);
    EXPECT_TRUE(table.install(r, now));
    EXPECT_TRUE(table.install(r, now));  // repeated
  };
  install(1, kStart);
  install(2, kStart + 1s);
  install(3, kStart + 2s);  // in the place of the oldest
  EXPECT_FALSE(known.knows(tuple(1)));
  EXPECT_TRUE(known.knows(tuple(2)));
  table.remove(tuple(2), {connection_id(2), Epoch{2}});
  EXPECT_FALSE(known.knows(tuple(2)));
  EXPECT_TRUE(known.knows(tuple(3)));
  table.on_deadline(kStart + 2h);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(slots, std::vector<std::uint8_t>(KnownFlows::kSlots));
}

struct MappingTableTest : ::testing::Test {
  MappingTable table{{.mappings_max = 100, .idle_max = 1h}, SipKey{}};
  Instant now = kStart;

  NodeId install(const MappingRequest& r) {
    const Result<NodeId> previous = table.install(r, now);
    EXPECT_TRUE(previous.has_value());
    return previous.value_or(NodeId{0xdead});
  }
  bool refused(const MappingRequest& r) {
    const Result<NodeId> previous = table.install(r, now);
    return !previous && previous.error().code == ErrorCode::kRefused;
  }
};

TEST_F(MappingTableTest, FindsWhatWasInstalledAndOnlyThat) {
  EXPECT_EQ(install(request(connection_id(1), 2, 7, 42)), NodeId{});
  const Mapping* mapping = table.find(tuple(1), now);
  ASSERT_NE(mapping, nullptr);
  EXPECT_EQ(mapping->owner, NodeId{7});
  EXPECT_EQ(mapping->flow, FlowId{42});
  EXPECT_EQ(mapping->tenure(), (Tenure{connection_id(1), Epoch{2}}));
  EXPECT_EQ(table.find(tuple(2), now), nullptr);
}

TEST_F(MappingTableTest, HigherEpochReplacesAndNamesThePreviousOwner) {
  install(request(connection_id(1), 2, 7));
  EXPECT_EQ(install(request(connection_id(1), 3, 8)), NodeId{7});
  EXPECT_EQ(table.find(tuple(1), now)->owner, NodeId{8});
  EXPECT_EQ(table.size(), 1u);
}

TEST_F(MappingTableTest, LowerEpochNeverReplaces) {
  install(request(connection_id(1), 3, 7));
  now += kQuiet;
  EXPECT_TRUE(refused(request(connection_id(1), 2, 8)));
  EXPECT_TRUE(refused(request(connection_id(1), 2, 7)));
  EXPECT_EQ(table.find(tuple(1), now)->owner, NodeId{7});
}

TEST_F(MappingTableTest, EqualEpochOfAnotherOwnerNeverReplaces) {
  install(request(connection_id(1), 3, 7));
  now += kQuiet;
  EXPECT_TRUE(refused(request(connection_id(1), 3, 8)));
  EXPECT_EQ(table.find(tuple(1), now)->owner, NodeId{7});
}

TEST_F(MappingTableTest, RepeatedRequestGivesTheSameAnswer) {
  install(request(connection_id(1), 2, 7));
  EXPECT_EQ(install(request(connection_id(1), 3, 8)), NodeId{7});
  EXPECT_EQ(install(request(connection_id(1), 3, 8)), NodeId{7});
}

TEST_F(MappingTableTest, OwnerMayAnnounceANewFlowIdentifier) {
  install(request(connection_id(1), 3, 7, 42));
  install(request(connection_id(1), 3, 7, 43));
  EXPECT_EQ(table.find(tuple(1), now)->flow, FlowId{43});
}

TEST_F(MappingTableTest, WhoNamesNoFlowIdentifierTakesNoneAway) {
  install(request(connection_id(1), 3, 7, 42));
  install(request(connection_id(1), 3, 7, 0));
  EXPECT_EQ(table.find(tuple(1), now)->flow, FlowId{42});
  install(request(connection_id(1), 4, 8, 0));
  EXPECT_EQ(table.find(tuple(1), now)->flow, FlowId{});
}

// ---- the four-tuple is used again ----

TEST_F(MappingTableTest, YoungerConnectionOfTheSameBootReplaces) {
  install(request(connection_id(1), 9, 7));
  EXPECT_EQ(install(request(connection_id(2), 2, 8)), NodeId{7});
}

TEST_F(MappingTableTest, OlderConnectionOfTheSameBootNeverReplaces) {
  install(request(connection_id(2), 2, 7));
  table.find(tuple(1), now)->syn_seen = true;
  now += kQuiet;
  EXPECT_TRUE(refused(request(connection_id(1), 9, 8)));
}

TEST_F(MappingTableTest, AnotherNodesConnectionNeedsEvidence) {
  install(request(connection_id(1, /*node=*/1), 3, 7));
  EXPECT_TRUE(refused(request(connection_id(1, /*node=*/2), 2, 8)));
  EXPECT_TRUE(refused(request(connection_id(1, 1, /*boot=*/0xb008), 2, 8)));
}

TEST_F(MappingTableTest, SynIsEvidence) {
  install(request(connection_id(1, 1), 3, 7));
  table.find(tuple(1), now)->syn_seen = true;
  EXPECT_EQ(install(request(connection_id(1, 2), 2, 8)), NodeId{7});
  EXPECT_FALSE(table.find(tuple(1), now)->syn_seen) << "of the new connection";
}

TEST_F(MappingTableTest, SynIsNoEvidenceForOneThatIsHalfOpen) {
  install(request(connection_id(1, 1), 3, 7));
  table.find(tuple(1), now)->syn_seen = true;
  MappingRequest half_open = request(connection_id(1, 2), 1, 2);
  half_open.half_open = true;
  EXPECT_TRUE(refused(half_open));
  half_open.tenure.connection = connection_id(1, /*node=*/7);  // its owner answered it
  EXPECT_EQ(install(half_open), NodeId{7});
}

TEST_F(MappingTableTest, ACompleteHandshakeGoesBeforeOneThatIsNot) {
  MappingRequest half_open = request(connection_id(1, 1), 1, 7);
  half_open.half_open = true;
  install(half_open);
  EXPECT_TRUE(table.find(tuple(1), now)->half_open);
  EXPECT_EQ(install(request(connection_id(1, 2), 1, 8)), NodeId{7});
  EXPECT_FALSE(table.find(tuple(1), now)->half_open);
  EXPECT_TRUE(refused(half_open));
}

TEST_F(MappingTableTest, OwnerThatAnsweredTheSynIsEvidence) {
  install(request(connection_id(1, 1), 3, /*owner=*/2));
  EXPECT_EQ(install(request(connection_id(1, /*node=*/2), 2, 8)), NodeId{2});
  EXPECT_TRUE(refused(request(connection_id(1, /*node=*/3), 2, 9)));
  // Two moves later it says nothing about who has the tuple where it began.
  now += kQuiet;
  install(request(connection_id(2, /*node=*/1), 3, /*owner=*/2));
  EXPECT_TRUE(refused(request(connection_id(2, /*node=*/2), 3, 8)));
}

TEST_F(MappingTableTest, SilenceIsEvidence) {
  install(request(connection_id(1, 1), 3, 7));
  now += kQuiet - 1ns;
  EXPECT_TRUE(refused(request(connection_id(1, 2), 2, 8)));
  now += 1ns;
  install(request(connection_id(1, 2), 2, 8));
  EXPECT_EQ(table.find(tuple(1), now)->owner, NodeId{8});
}

TEST_F(MappingTableTest, UseEndsSilence) {
  install(request(connection_id(1, 1), 3, 7));
  now += kQuiet;
  table.find(tuple(1), now);
  EXPECT_TRUE(refused(request(connection_id(1, 2), 2, 8)));
}

// ---- removal ----

TEST_F(MappingTableTest, RemoveAsksForConnectionAndEpoch) {
  install(request(connection_id(1), 3, 7));
  EXPECT_FALSE(table.remove(tuple(1), {connection_id(2), Epoch{3}}));
  EXPECT_FALSE(table.remove(tuple(1), {connection_id(1), Epoch{2}}));
  EXPECT_FALSE(table.remove(tuple(2), {connection_id(1), Epoch{3}}));
  EXPECT_TRUE(table.remove(tuple(1), {connection_id(1), Epoch{3}}));
  EXPECT_EQ(table.find(tuple(1), now), nullptr);
  EXPECT_EQ(table.next_deadline(), kNever);
}

TEST_F(MappingTableTest, RemoveOwner) {
  for (std::uint16_t i = 1; i <= 10; ++i) {
    table.install(
        {tuple(i), {connection_id(i), Epoch{2}}, NodeId{static_cast<std::uint16_t>(3 + i % 2)}, {}},
        now);
  }
  EXPECT_EQ(table.remove_owner(NodeId{3}), 5u);
  EXPECT_EQ(table.size(), 5u);
  table.for_each([](const FourTuple&, const Mapping& m) { EXPECT_EQ(m.owner, NodeId{4}); });
}

// ---- bounds and age ----

TEST_F(MappingTableTest, FullTableForgetsWhatWasNotUsedForLongest) {
  for (std::uint16_t i = 1; i <= 100; ++i) {
    table.install({tuple(i), {connection_id(i), Epoch{2}}, NodeId{3}, {}}, now += 1ms);
  }
  table.find(tuple(1), now += 1ms);  // so the second is the oldest
  table.install({tuple(101), {connection_id(101), Epoch{2}}, NodeId{3}, {}}, now += 1ms);
  EXPECT_EQ(table.size(), 100u);
  EXPECT_EQ(table.evictions(), 1u);
  EXPECT_NE(table.peek(tuple(1)), nullptr);
  EXPECT_EQ(table.peek(tuple(2)), nullptr);
  EXPECT_NE(table.peek(tuple(101)), nullptr);
}

TEST_F(MappingTableTest, IdleMappingsExpireAndUsedOnesStay) {
  install(request(connection_id(1), 2, 7));
  table.install({tuple(2), {connection_id(2), Epoch{2}}, NodeId{3}, {}}, now);
  table.find(tuple(2), now + 30min);
  EXPECT_LE(table.next_deadline(), now + 1h);
  table.on_deadline(now + 1h);
  EXPECT_EQ(table.peek(tuple(1)), nullptr);
  EXPECT_NE(table.peek(tuple(2)), nullptr);
  EXPECT_EQ(table.next_deadline(), now + 90min);
  table.on_deadline(now + 90min);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.next_deadline(), kNever);
}

// Against a plain model: only epochs of one connection for each tuple, so the rule is simple.
TEST_F(MappingTableTest, AgreesWithAModelOverManyRandomSteps) {
  sim::SimRng rng(7);
  std::map<std::uint16_t, std::pair<std::uint32_t, std::uint16_t>> model;  // epoch, owner
  for (int step = 0; step < 50000; ++step) {
    const auto port = static_cast<std::uint16_t>(rng.below(90));
    const auto epoch = static_cast<std::uint32_t>(rng.between(1, 6));
    const auto owner = static_cast<std::uint16_t>(rng.between(1, 4));
    const Tenure tenure{connection_id(port), Epoch{epoch}};
    const auto known = model.find(port);
    if (rng.chance(0.3)) {
      const bool removed = known != model.end() && known->second.first <= epoch;
      EXPECT_EQ(table.remove(tuple(port), tenure), removed);
      if (removed) model.erase(known);
    } else {
      const bool taken = known == model.end() || epoch > known->second.first ||
                         (epoch == known->second.first && owner == known->second.second);
      EXPECT_EQ(table.install({tuple(port), tenure, NodeId{owner}, {}}, now).has_value(), taken);
      if (taken) model[port] = {epoch, owner};
    }
    ASSERT_EQ(table.size(), model.size());
  }
  table.for_each([&](const FourTuple& t, const Mapping& m) {
    EXPECT_EQ(model.at(t.peer.port), (std::pair{m.tenure().epoch.value, m.owner.value}));
  });
}

}  // namespace
}  // namespace migd
