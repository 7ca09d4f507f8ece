// Messages through a node on the way: origin 1, via 2, destination 3.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/migrator/channel/virtual_net.h"

namespace migd::channel::test {
namespace {

constexpr NodeId kOrigin{1}, kVia{2}, kDestination{3};

class RelayTest : public ::testing::Test {
 protected:
  void start(std::uint64_t seed, const Tuning& tuning = {}) {
    net.emplace(seed);
    net->add_nodes(3, tuning);
    ASSERT_TRUE(net->run_until_up());
    net->run_for(50ms);
  }
  Node& origin() { return net->node(1); }
  Node& via() { return net->node(2); }
  Node& destination() { return net->node(3); }

  std::optional<VirtualNet> net;
};

TEST_F(RelayTest, TheViaSeesTheHeadAndTheDestinationTheBody) {
  start(1);
  const Bytes body = random_bytes(net->rng(), 256'000);
  ASSERT_TRUE(origin().send_via(kVia, kDestination, 5, "mapping header", body));
  ASSERT_TRUE(net->run_until([&] { return destination().received.size() == 1; }, 1s));
  const Received& message = destination().received[0];
  EXPECT_EQ(message.origin, kOrigin);
  EXPECT_EQ(message.kind, 5);
  EXPECT_EQ(as_text(message.head), "mapping header");
  EXPECT_TRUE(message.body == body);
  ASSERT_EQ(via().relayed.size(), 1u);
  EXPECT_EQ(via().relayed[0].origin, kOrigin);
  EXPECT_EQ(via().relayed[0].destination, kDestination);
  EXPECT_EQ(via().relayed[0].head, "mapping header");
  EXPECT_TRUE(via().received.empty());
  net->run_for(1s);
  EXPECT_EQ(via().channel().queued_bytes(kDestination), 0u);
  EXPECT_EQ(origin().channel().queued_bytes(kVia), 0u);
}

TEST_F(RelayTest, NothingOfAMessageLeavesBeforeItsHeadWasShown) {
  start(2);
  // The fragment with the head is lost once, so it comes last.
  std::size_t passed = 0, passed_before_head = 0;
  net->tap = [&, first = true](Captured& datagram) mutable {
    if (datagram.bytes.size() < 1000) return true;
    if (datagram.from == origin().address()) return !std::exchange(first, false);
    ++passed;
    if (via().relayed.empty()) ++passed_before_head;
    return true;
  };
  ASSERT_TRUE(origin().send_via(kVia, kDestination, 5, "head", Bytes(50'000, 1)));
  ASSERT_TRUE(net->run_until([&] { return destination().received.size() == 1; }, 1s));
  EXPECT_GT(passed, 30u);
  EXPECT_EQ(passed_before_head, 0u);
}

TEST_F(RelayTest, FragmentsGoOnAsTheyCome) {
  start(3);
  ASSERT_TRUE(origin().send_via(kVia, kDestination, 5, "head", Bytes(2'000'000, 1)));
  net->capturing = true;
  net->run_for(350us);  // the first window has reached the via, the last fragments have not left
  EXPECT_TRUE(std::any_of(net->captured.begin(), net->captured.end(), [&](const Captured& d) {
    return d.from == via().address() && d.to == destination().address() && d.bytes.size() > 1000;
  }));
  EXPECT_GT(origin().channel().queued_bytes(kVia), 0u);
  ASSERT_TRUE(net->run_until([&] { return destination().received.size() == 1; }, 5s));
}

TEST_F(RelayTest, EverythingArrivesOnceWithLossOnBothHops) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    start(seed);
    net->faults = {.lose = 0.2, .repeat = 0.05, .jitter = 300us};
    std::map<std::string, Bytes> sent;
    for (int i = 0; i < 12; ++i) {
      const std::string head = "message " + std::to_string(i);
      sent[head] = random_bytes(net->rng(), net->rng().below(300'000));
      ASSERT_TRUE(origin().send_via(kVia, kDestination, 1, head, sent[head]));
      net->run_for(Duration(net->rng().below(3'000'000)));
    }
    ASSERT_TRUE(net->run_until([&] { return destination().received.size() >= 12; }, 60s));
    net->run_for(2s);
    ASSERT_EQ(destination().received.size(), 12u);
    for (const Received& message : destination().received) {
      EXPECT_TRUE(sent.at(std::string(as_text(message.head))) == message.body);
    }
    EXPECT_EQ(via().relayed.size(), 12u);
    EXPECT_TRUE(origin().returned.empty());
    EXPECT_EQ(origin().downs.size() + via().downs.size() + destination().downs.size(), 0u);
  }
}

TEST_F(RelayTest, WithoutASessionToTheDestinationTheOriginGetsItBack) {
  start(4);
  // Only the via loses the destination.
  net->tap = [&](Captured& datagram) {
    return !(datagram.from == via().address() && datagram.to == destination().address()) &&
           !(datagram.to == via().address() && datagram.from == destination().address());
  };
  ASSERT_TRUE(net->run_until([&] { return !via().channel().session_up(kDestination); }, 10s));
  ASSERT_TRUE(origin().send_via(kVia, kDestination, 6, "the head", Bytes(100'000, 3)));
  ASSERT_TRUE(net->run_until([&] { return !origin().returned.empty(); }, 1s));
  EXPECT_EQ(origin().returned[0].via, kVia);
  EXPECT_EQ(origin().returned[0].to, kDestination);
  EXPECT_EQ(origin().returned[0].kind, 6);
  EXPECT_EQ(origin().returned[0].head, "the head");
  EXPECT_EQ(origin().returned[0].reason, "no_route");
  EXPECT_TRUE(via().relayed.empty());
  EXPECT_GT(via().refused("no_route"), 0u);
  net->run_for(1s);
  EXPECT_EQ(origin().returned.size(), 1u);
  EXPECT_EQ(origin().channel().queued_bytes(kVia), 0u);
}

TEST_F(RelayTest, ADestinationThatDiesInTheMiddleGivesTheMessageBack) {
  start(5);
  const Bytes body(5'000'000, 3);
  ASSERT_TRUE(origin().send_via(kVia, kDestination, 6, "big", body));
  ASSERT_TRUE(origin().send_via(kVia, kDestination, 7, "behind it", body));
  net->run_for(1ms);
  destination().stop();
  ASSERT_TRUE(net->run_until([&] { return origin().returned.size() >= 2; }, 10s));
  net->run_for(15s);
  ASSERT_EQ(origin().returned.size(), 2u);
  EXPECT_EQ(origin().returned[0].reason, "no_route");
  EXPECT_EQ(via().channel().queued_bytes(kDestination), 0u);
  EXPECT_EQ(origin().channel().queued_bytes(kVia), 0u);
}

TEST_F(RelayTest, ADestinationThatRestartedGivesTheMessageBackOrTakesIt) {
  start(6);
  ASSERT_TRUE(origin().send_via(kVia, kDestination, 6, "big", Bytes(3'000'000, 3)));
  net->run_for(1ms);
  destination().restart(Boot{5000});
  ASSERT_TRUE(net->run_until_up());
  net->run_for(15s);
  EXPECT_TRUE(destination().received.empty());
  EXPECT_EQ(destination().channel().reserved_bytes(kOrigin), 0u);
  // A new one passes.
  ASSERT_TRUE(origin().send_via(kVia, kDestination, 6, "again", Bytes(300'000, 3)));
  ASSERT_TRUE(net->run_until([&] { return destination().received.size() == 1; }, 1s));
}

TEST_F(RelayTest, AnOriginThatDiesLeavesNothingBehind) {
  start(7);
  ASSERT_TRUE(origin().send_via(kVia, kDestination, 6, "big", Bytes(5'000'000, 3)));
  net->run_for(600us);
  origin().stop();
  EXPECT_GT(
      destination().channel().reserved_bytes(kOrigin) + via().channel().queued_bytes(kDestination),
      0u);
  net->run_for(20s);
  EXPECT_EQ(via().channel().queued_bytes(kDestination), 0u);
  EXPECT_EQ(destination().channel().reserved_bytes(kOrigin), 0u);
  EXPECT_TRUE(destination().received.empty());
}

TEST_F(RelayTest, DamageOnTheLastHopIsRepaired) {
  start(8);
  net->tap = [&, count = 0](Captured& datagram) mutable {
    if (datagram.from == via().address() && datagram.bytes.size() > 1000 && ++count <= 3) {
      datagram.bytes.back() ^= 1;
    }
    return true;
  };
  const Bytes body = random_bytes(net->rng(), 100'000);
  ASSERT_TRUE(origin().send_via(kVia, kDestination, 6, "head", body));
  ASSERT_TRUE(net->run_until([&] { return destination().received.size() == 1; }, 1s));
  EXPECT_TRUE(destination().received[0].body == body);
  EXPECT_EQ(destination().refused("body_forged"), 3u);
}

// A relay cannot see it. The destination can, and the origin is told.
TEST_F(RelayTest, DamageOnTheFirstHopComesBackAsForged) {
  start(9);
  net->tap = [&, count = 0](Captured& datagram) mutable {
    if (datagram.from == origin().address() && datagram.bytes.size() > 1000 && ++count == 5) {
      datagram.bytes.back() ^= 1;
    }
    return true;
  };
  ASSERT_TRUE(origin().send_via(kVia, kDestination, 6, "head", Bytes(100'000)));
  ASSERT_TRUE(origin().send_via(kVia, kDestination, 7, "another", Bytes(100'000)));
  ASSERT_TRUE(net->run_until([&] { return !origin().returned.empty(); }, 10s));
  EXPECT_EQ(origin().returned[0].via, kDestination);
  EXPECT_EQ(origin().returned[0].reason, "body_forged");
  EXPECT_EQ(origin().returned[0].head, "head");
  EXPECT_GE(destination().refused("body_forged"), 8u);
  net->run_for(1s);
  ASSERT_EQ(destination().received.size(), 1u);
  EXPECT_EQ(destination().received[0].kind, 7);
}

TEST_F(RelayTest, AViaWithoutRoomTakesItLater) {
  net.emplace(10);
  net->add_nodes(3, {}, [](ChannelOptions& options) {
    if (options.self == kVia) options.peer_memory_max = 400'000;
  });
  ASSERT_TRUE(net->run_until_up());
  net->run_for(50ms);
  // The second hop is closed for a while.
  bool closed = true;
  net->tap = [&](Captured& datagram) {
    return !(closed && datagram.from == via().address() && datagram.bytes.size() > 500);
  };
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(origin().send_via(kVia, kDestination, 1, std::to_string(i), Bytes(250'000, 4)));
  }
  net->run_for(300ms);
  EXPECT_GT(via().refused("memory"), 0u);
  EXPECT_LE(via().channel().queued_bytes(kDestination), 400'000u);
  closed = false;
  ASSERT_TRUE(net->run_until([&] { return destination().received.size() == 4; }, 20s));
}

}  // namespace
}  // namespace migd::channel::test
