// Echo, discard and source, moved at every step and not at all.
#include <gtest/gtest.h>

#include "app/plain/plain.h"
#include "tests/app/two_nodes.h"

namespace migd {
namespace {

std::vector<ApplicationOptions> applications() {
  return {application("echo", ApplicationKind::kEcho),
          application("discard", ApplicationKind::kDiscard),
          application("source", ApplicationKind::kSource)};
}

Bytes ramp(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::uint8_t>(i % kRampPeriod);
  return bytes;
}

struct Steps {
  std::size_t send, take, buffer;
};

class PlainTest : public testing::TestWithParam<std::tuple<MoveMode, Steps>> {
 protected:
  Script script(const std::string& application, Bytes sends) {
    const auto [moves, steps] = GetParam();
    Script script;
    script.application = application;
    script.sends = std::move(sends);
    script.send_step = steps.send;
    script.take_step = steps.take;
    script.send_buffer = steps.buffer;
    script.moves = moves;
    script.move_at_step = 3;
    return script;
  }
  void expect_moved(const Outcome& outcome) {
    const MoveMode mode = std::get<0>(GetParam());
    if (mode == MoveMode::kEveryStep) {
      EXPECT_GT(outcome.moves, 3u);
    } else {
      EXPECT_EQ(outcome.moves, mode == MoveMode::kOnce ? 1u : 0u);
    }
  }
  TwoNodes nodes_{applications()};
};

TEST_P(PlainTest, EchoSendsBackEverythingAndCloses) {
  const Outcome outcome = play(nodes_, script("echo", ramp(3000)));
  EXPECT_EQ(outcome.received, ramp(3000));
  EXPECT_TRUE(outcome.fin);
  EXPECT_FALSE(outcome.aborted);
  EXPECT_TRUE(nodes_.gone());
  EXPECT_EQ(nodes_.node(0).registry->session_count(), 0u);
  EXPECT_EQ(nodes_.node(1).registry->session_count(), 0u);
  expect_moved(outcome);
}

TEST_P(PlainTest, DiscardReadsEverythingAndCloses) {
  const Outcome outcome = play(nodes_, script("discard", ramp(3000)));
  EXPECT_TRUE(outcome.received.empty());
  EXPECT_TRUE(outcome.fin);
  expect_moved(outcome);
}

TEST_P(PlainTest, SourceSendsTheRampUntilTheClientCloses) {
  Script plan = script("source", to_bytes(as_bytes("ignored")));
  plan.client_closes_after = 5000 + 5 * plan.take_step;
  const Outcome outcome = play(nodes_, plan);
  ASSERT_GE(outcome.received.size(), plan.client_closes_after);
  EXPECT_EQ(outcome.received, ramp(outcome.received.size()));
  EXPECT_TRUE(outcome.fin);
  expect_moved(outcome);
}

INSTANTIATE_TEST_SUITE_P(
    Modes, PlainTest,
    testing::Combine(testing::Values(MoveMode::kStay, MoveMode::kOnce, MoveMode::kEveryStep,
                                     MoveMode::kFreezeEveryStep),
                     testing::Values(Steps{100, 1u << 16, 1u << 16}, Steps{100, 70, 333},
                                     Steps{1, 1, 1}, Steps{250, 251, 252})),
    [](const auto& test) {
      const Steps& steps = std::get<1>(test.param);
      return to_string(std::get<0>(test.param)) + "Send" + std::to_string(steps.send) + "Take" +
             std::to_string(steps.take) + "Buffer" + std::to_string(steps.buffer);
    });

TEST(PlainSessionTest, ResetByTheClientEndsTheSession) {
  TwoNodes nodes(applications());
  nodes.open("echo");
  EXPECT_EQ(nodes.owner().registry->session_count(), 1u);
  nodes.connection().client_resets();
  nodes.settle();
  EXPECT_EQ(nodes.owner().registry->session_count(), 0u);
}

TEST(PlainSessionTest, DataThatWaitedBeforeTheAttachIsServed) {
  TestNode node(applications());
  FakeConnection connection;
  connection.client_sends(as_bytes("early"));
  ASSERT_TRUE(node.registry->attach(connection, "echo", {}, false));
  EXPECT_EQ(connection.client_takes(100), to_bytes(as_bytes("early")));
}

TEST(PlainSessionTest, ACopyThatIsReleasedBeforeTheGrantIsForgotten) {
  TestNode node(applications());
  FakeConnection copy(FakeConnection::Carried{});
  ASSERT_TRUE(node.registry->attach(copy, "source", Bytes{5, 1, 0, 250}, true));
  EXPECT_EQ(node.registry->session_count(), 1u);
  copy.release();
  EXPECT_EQ(node.registry->session_count(), 0u);
}

TEST(PlainSessionTest, AnEndedConnectionIsNotEndedAgain) {
  TwoNodes nodes(applications());
  nodes.open("echo");
  nodes.connection().client_sends(as_bytes("x"));
  nodes.connection().client_closes();
  nodes.settle();
  EXPECT_EQ(nodes.connection().handler()->capture_state(), (Bytes{3, 1, 1}));
  ASSERT_TRUE(nodes.move());
  EXPECT_EQ(nodes.connection().client_takes(10), to_bytes(as_bytes("x")));
  EXPECT_EQ(nodes.connection().closes(), 0u);
  nodes.settle();
  EXPECT_TRUE(nodes.gone());
}

}  // namespace
}  // namespace migd
