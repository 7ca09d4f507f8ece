#include "migrator/wire.h"

#include <gtest/gtest.h>

#include "tests/support/sample_blob.h"

namespace migd::wire {
namespace {

const Tenure kTenure{{NodeId{3}, Boot{0xabcdef012345}, 99}, Epoch{7}};

// One of each kind, every field set.
std::vector<Message> samples() {
  MigrationFinished finished;
  finished.request = 12;
  finished.tenure = kTenure;
  finished.source = NodeId{1};
  finished.target = NodeId{2};
  finished.outcome = MigrationOutcome::kRefused;
  finished.reason = "app_busy";
  finished.blob_bytes = 1234;
  finished.stage_at[2] = Duration(55us);
  return {State{kTenure, NodeId{1}, NodeId{2}, NodeId{4}, FlowId{0x01020304}, FlowId{9},
                testing::sample_tuple()},
          Ready{kTenure},
          Refuse{kTenure, "tuple_in_use"},
          Grant{kTenure},
          Active{kTenure, 42us},
          Abort{kTenure, "timed_out"},
          Barrier{kTenure, NodeId{4}},
          Map{kTenure, NodeId{2}, FlowId{5}, testing::sample_tuple()},
          Unmap{kTenure, testing::sample_tuple()},
          LeaseRequest{},
          Lease{100, 4096, {1, 2, 3}},
          Locate{8, "00ff"},
          Located{8, {{kTenure, true, NodeId{}}, {kTenure, false, NodeId{9}}}},
          Order{13, kTenure.connection, NodeId{2}, 5s},
          OrderResult{finished}};
}

TEST(Wire, EveryKindSurvives) {
  ASSERT_EQ(samples().size(), std::variant_size_v<Message>);
  for (const Message& message : samples()) {
    const Bytes head = serialize(message);
    const Result<Message> parsed = parse(static_cast<std::uint8_t>(kind_of(message)), head);
    ASSERT_TRUE(parsed) << message.index();
    EXPECT_EQ(parsed->index(), message.index());
    EXPECT_EQ(serialize(*parsed), head);
  }
}

TEST(Wire, TruncatedOrPaddedIsRefused) {
  for (const Message& message : samples()) {
    const auto kind = static_cast<std::uint8_t>(kind_of(message));
    Bytes head = serialize(message);
    for (std::size_t size = 0; size < head.size(); ++size) {
      EXPECT_FALSE(parse(kind, ByteView(head).first(size))) << int{kind} << " cut to " << size;
    }
    head.push_back(0);
    EXPECT_FALSE(parse(kind, head)) << int{kind};
  }
}

TEST(Wire, UnknownKindsAreRefused) {
  EXPECT_FALSE(parse(0, {}));
  EXPECT_FALSE(parse(200, {}));
}

TEST(Wire, LongReasonsAreCut) {
  const Bytes head = serialize(Refuse{kTenure, std::string(1000, 'x')});
  const Result<Message> parsed = parse(static_cast<std::uint8_t>(Kind::kRefuse), head);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(std::get<Refuse>(*parsed).reason.size(), 255u);
}

}  // namespace
}  // namespace migd::wire
