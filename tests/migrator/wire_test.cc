#include "migrator/wire.h"

#include <gtest/gtest.h>

#include "tests/support/sample_messages.h"

namespace migd::wire {
namespace {

using testing::kTenure;

std::vector<Message> samples() {
  return testing::sample_messages();
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
