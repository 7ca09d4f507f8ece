// The shim between two stacks: which connections travel with their application, and which without.
#include "migrator/shim.h"

#include "tests/stack/test_bed.h"

namespace migd::test {
namespace {

class Application : public ApplicationHost {
 public:
  bool knows(std::string_view application) const override { return application == known; }
  Result<void> attach(Connection& connection, std::string_view application, ByteView,
                      bool) override {
    ++attached;
    connection.bind(std::string(application), &app);
    return {};
  }
  std::string known = "app";
  int attached = 0;
  TestApp app;
};

class BusyApp : public TestApp {
 public:
  Blockers blockers() const override { return Blocker::kAppBusy; }
};

class ShimTest : public ::testing::Test {
 protected:
  // To the other node, through both shims; false when the target refuses.
  bool move() {
    const bool there = bed.owner == &bed.a;
    Shim& source = there ? shim_a : shim_b;
    Shim& target = there ? shim_b : shim_a;
    TestNode& to = there ? bed.b : bed.a;
    Connection& connection = *bed.find();
    EXPECT_TRUE(source.blockers(connection).empty());
    FrozenConnection frozen = source.freeze(connection, bed.now);
    const Tenure next{connection.id(), Epoch{connection.epoch().value + 1}};
    const ConnectionBlob blob = *source.compile(frozen, {}, {}, next, NodeId{1}, bed.now);
    auto arrived = target.infuse(*decode_blob(encode_blob(blob)), {}, bed.now);
    if (!arrived) {
      source.thaw(std::move(frozen), bed.now);
      return false;
    }
    source.release(std::move(frozen));
    bed.deliver();
    bed.owner = &to;
    target.activate(std::move(*arrived), bed.now);
    bed.deliver();
    return true;
  }

  TestBed bed;
  Application on_a, on_b;
  Shim shim_a{*bed.a.stack, on_a}, shim_b{*bed.b.stack, on_b};
};

TEST_F(ShimTest, ALiveConnectionTakesItsApplicationAlong) {
  bed.connect();
  EXPECT_TRUE(move());
  EXPECT_EQ(on_b.attached, 1);
  EXPECT_EQ(bed.app.closed, CloseReason::kMigrated);
  bed.give(bed.peer.data(ramp(10)));
  EXPECT_EQ(on_b.app.received, ramp(10));
}

TEST_F(ShimTest, WithoutItsApplicationItStays) {
  on_b.known = "another";
  bed.connect();
  EXPECT_FALSE(move());
  bed.give(bed.peer.data(ramp(10)));
  EXPECT_EQ(bed.app.received, ramp(10));
}

TEST_F(ShimTest, HalfOpenBecomesAnAcceptedConnectionThere) {
  bed.give(bed.peer.syn());
  EXPECT_TRUE(move());
  EXPECT_EQ(on_b.attached, 0);
  EXPECT_EQ(bed.state(), TcpState::kSynReceived);
  bed.give(bed.peer.ack());
  ASSERT_EQ(bed.b.established.size(), 1u);
  EXPECT_TRUE(bed.a.established.empty());
  EXPECT_EQ(bed.b.established[0]->application(), "");
}

// The application is done: it has no say, the target need not know it, its name is kept.
class ShimDoneTest : public ShimTest, public ::testing::WithParamInterface<TcpState> {
 protected:
  void arrive() {
    bed.connect();
    bed.find()->bind("app", &busy);
    const SeqNum before = bed.peer.receive_next;
    if (GetParam() == TcpState::kLastAck) bed.give(bed.peer.fin());
    bed.find()->close();
    bed.deliver();
    if (GetParam() == TcpState::kLastAck || GetParam() == TcpState::kFinWait1) return;
    if (GetParam() == TcpState::kClosing) return bed.give(bed.peer.fin({}, {.ack = before}));
    bed.give(bed.peer.ack());
    if (GetParam() == TcpState::kTimeWait) bed.give(bed.peer.fin());
  }
  BusyApp busy;
};

TEST_P(ShimDoneTest, MovesWithoutAnApplication) {
  on_a.known = on_b.known = "another";
  arrive();
  ASSERT_EQ(bed.state(), GetParam());
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(move());
    ASSERT_EQ(bed.state(), GetParam());
    EXPECT_EQ(bed.find()->application(), "app");
    EXPECT_EQ(bed.find()->handler(), nullptr);
    int listed = 0;
    bed.stack().for_each([&](Connection& c) { listed += c.state() == GetParam() ? 1 : 0; });
    EXPECT_EQ(listed, 1);
    EXPECT_EQ(bed.stack().find(bed.find()->id()), bed.find());
  }
  EXPECT_EQ(on_a.attached + on_b.attached, 0);
  EXPECT_EQ(busy.closed_events, 1);
  if (GetParam() == TcpState::kFinWait1 || GetParam() == TcpState::kFinWait2) {
    bed.give(bed.peer.fin());
  } else {
    bed.give(bed.peer.ack());
  }
  bed.run_for(61s);
  EXPECT_EQ(bed.find(), nullptr);
  EXPECT_EQ(bed.owner->gone_reason, CloseReason::kFinished);
  EXPECT_FALSE(bed.peer.reset_received);
}

INSTANTIATE_TEST_SUITE_P(States, ShimDoneTest,
                         ::testing::Values(TcpState::kFinWait1, TcpState::kFinWait2,
                                           TcpState::kClosing, TcpState::kLastAck,
                                           TcpState::kTimeWait),
                         [](const auto& test) { return std::string(migd::to_string(test.param)); });

}  // namespace
}  // namespace migd::test
