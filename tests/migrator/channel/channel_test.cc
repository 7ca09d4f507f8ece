// The channel as its owner sees it: sessions, messages, loss.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/migrator/channel/virtual_net.h"

namespace migd::channel::test {
namespace {

constexpr NodeId kOne{1}, kTwo{2}, kThree{3};

TEST(Channel, SessionsComeUpOnBothSides) {
  VirtualNet net(1);
  net.add_nodes(2);
  ASSERT_TRUE(net.run_until_up());
  EXPECT_EQ(net.node(1).ups, (std::vector<std::pair<NodeId, Boot>>{{kTwo, Boot{1002}}}));
  EXPECT_EQ(net.node(2).ups, (std::vector<std::pair<NodeId, Boot>>{{kOne, Boot{1001}}}));
  EXPECT_EQ(net.node(1).channel().peer_boot(kTwo), Boot{1002});
  net.run_for(100ms);
  EXPECT_GE(net.node(1).channel().round_trip(kTwo), 200us);
  EXPECT_LT(net.node(1).channel().round_trip(kTwo), 5ms);
}

TEST(Channel, MessagesArriveWithHeadAndBody) {
  VirtualNet net(2);
  net.add_nodes(2);
  ASSERT_TRUE(net.run_until_up());
  Node& a = net.node(1);
  Node& b = net.node(2);
  const Bytes body = random_bytes(net.rng(), 300'000);
  ASSERT_TRUE(a.send(kTwo, 7, "head", body));
  ASSERT_TRUE(a.send(kTwo, 8, "word"));
  ASSERT_TRUE(a.send(kTwo, 9, "", as_bytes("x")));
  ASSERT_TRUE(b.send(kOne, 10, ""));
  ASSERT_TRUE(net.run_until([&] { return b.received.size() == 3 && a.received.size() == 1; }, 1s));
  std::set<int> kinds;
  for (const Received& message : b.received) {
    kinds.insert(message.kind);
    EXPECT_EQ(message.origin, kOne);
    if (message.kind == 7) {
      EXPECT_EQ(as_text(message.head), "head");
      EXPECT_EQ(message.body, body);
    }
  }
  EXPECT_EQ(kinds, (std::set<int>{7, 8, 9}));
  EXPECT_EQ(a.received[0].kind, 10);
  net.run_for(1s);
  EXPECT_EQ(b.received.size(), 3u);
  EXPECT_EQ(a.channel().queued_bytes(kTwo), 0u);
  EXPECT_EQ(a.refused_in_all() + b.refused_in_all(), 0u);
}

TEST(Channel, BodiesGoOutInTrains) {
  VirtualNet net(3);
  net.add_nodes(2);
  ASSERT_TRUE(net.run_until_up());
  net.run_for(50ms);
  Node& a = net.node(1);
  a.trains.clear();
  ASSERT_TRUE(a.send(kTwo, 1, "head", Bytes(100'000, 5)));
  a.channel().flush(net.now());
  ASSERT_EQ(a.trains.size(), 2u);
  EXPECT_LE(a.trains[0], a.options.train_max);
  EXPECT_GT(a.trains[0], a.options.train_max - a.options.datagram_max);
  ASSERT_TRUE(net.run_until([&] { return net.node(2).received.size() == 1; }, 1s));
}

TEST(Channel, ManySmallMessagesShareDatagrams) {
  VirtualNet net(4);
  net.add_nodes(2);
  ASSERT_TRUE(net.run_until_up());
  net.run_for(50ms);
  const std::uint64_t before = net.datagrams;
  for (int i = 0; i < 1000; ++i)
    ASSERT_TRUE(net.node(1).send(kTwo, 1, "a tenure of 20 bytes"));
  ASSERT_TRUE(net.run_until([&] { return net.node(2).received.size() == 1000; }, 1s));
  EXPECT_LT(net.datagrams - before, 100u);
}

TEST(Channel, HeartbeatsCarryThePayload) {
  VirtualNet net(5);
  net.add_nodes(2);
  ASSERT_TRUE(net.run_until_up());
  net.node(1).heartbeat = {9, 8, 7};
  net.node(2).heartbeats.clear();
  net.run_for(1050ms);
  ASSERT_GE(net.node(2).heartbeats.size(), 5u);
  EXPECT_LE(net.node(2).heartbeats.size(), 6u);
  EXPECT_EQ(net.node(2).heartbeats.back(), (std::pair{kOne, Bytes{9, 8, 7}}));
}

TEST(Channel, SaysWhyItCannotSend) {
  VirtualNet net(6);
  net.add_nodes(2);
  Node& a = net.node(1);
  EXPECT_EQ(a.send(kTwo, 1, "early").error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(a.send(kThree, 1, "nobody").error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(net.run_until_up());
  EXPECT_EQ(a.send(kTwo, 1, std::string(kHeadMax + 1, 'h')).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(a.send(kTwo, 1, "", Bytes(limits::kBlobMax + 1)).error().code, ErrorCode::kTooLarge);
  ASSERT_TRUE(a.send(kTwo, 1, std::string(kHeadMax, 'h'), Bytes(5000)));
  ASSERT_TRUE(net.run_until([&] { return net.node(2).received.size() == 1; }, 1s));
  EXPECT_EQ(net.node(2).received[0].head.size(), kHeadMax);
}

TEST(Channel, TheLargestBlobPasses) {
  VirtualNet net(7);
  net.add_nodes(2);
  ASSERT_TRUE(net.run_until_up());
  const Bytes body = random_bytes(net.rng(), limits::kBlobMax);
  ASSERT_TRUE(net.node(1).send(kTwo, 1, "big", body));
  ASSERT_TRUE(net.run_until([&] { return net.node(2).received.size() == 1; }, 10s));
  EXPECT_TRUE(net.node(2).received[0].body == body);
}

TEST(Channel, AFullQueueIsBusy) {
  VirtualNet net(8);
  net.add_nodes(2, {}, [](ChannelOptions& options) { options.peer_memory_max = 1u << 20; });
  ASSERT_TRUE(net.run_until_up());
  Node& a = net.node(1);
  EXPECT_EQ(a.send(kTwo, 1, "", Bytes(1u << 20)).error().code, ErrorCode::kTooLarge);
  ASSERT_TRUE(a.send(kTwo, 1, "", Bytes(600'000)));
  EXPECT_EQ(a.send(kTwo, 2, "", Bytes(600'000)).error().code, ErrorCode::kBusy);
  ASSERT_TRUE(net.run_until([&] { return a.channel().queued_bytes(kTwo) == 0; }, 1s));
  EXPECT_TRUE(a.send(kTwo, 2, "", Bytes(600'000)));
  ASSERT_TRUE(net.run_until([&] { return net.node(2).received.size() == 2; }, 1s));
}

// Every message of random size arrives exactly once, intact, whatever the network does.
void exchange(VirtualNet& net, int messages, std::size_t largest) {
  ASSERT_TRUE(net.run_until_up(60s));
  std::map<std::string, Bytes> sent;
  std::size_t at_two = 0, at_one = 0;
  for (int i = 0; i < messages; ++i) {
    const std::string head = "message " + std::to_string(i);
    const std::size_t size =
        net.rng().chance(0.5) ? net.rng().below(2000) : net.rng().below(largest + 1);
    const bool forth = net.rng().chance(0.7);
    sent[head] = random_bytes(net.rng(), size);
    ASSERT_TRUE(net.node(forth ? 1 : 2).send(forth ? kTwo : kOne, 3, head, sent[head]));
    ++(forth ? at_two : at_one);
    net.run_for(Duration(net.rng().below(2'000'000)));
  }
  ASSERT_TRUE(net.run_until(
      [&] {
        return net.node(2).received.size() >= at_two && net.node(1).received.size() >= at_one;
      },
      120s));
  net.run_for(2s);
  ASSERT_EQ(net.node(2).received.size(), at_two);
  ASSERT_EQ(net.node(1).received.size(), at_one);
  for (std::uint16_t node : {1, 2}) {
    for (const Received& message : net.node(node).received) {
      const auto found = sent.find(std::string(as_text(message.head)));
      ASSERT_NE(found, sent.end());
      EXPECT_TRUE(found->second == message.body);
      sent.erase(found);
    }
    EXPECT_EQ(net.node(node).downs.size(), 0u);
  }
  EXPECT_TRUE(sent.empty());
}

TEST(Channel, EverythingArrivesOnceAtTwentyPercentLoss) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    VirtualNet net(seed);
    net.faults = {.lose = 0.2, .repeat = 0.05, .damage = 0, .truncate = 0, .jitter = 300us};
    net.add_nodes(2);
    exchange(net, 12, 1u << 20);
  }
}

TEST(Channel, EverythingArrivesOnceWhateverTheNetworkDoes) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    VirtualNet net(seed);
    net.faults = {.lose = 0.05, .repeat = 0.1, .damage = 0.05, .truncate = 0.05, .jitter = 2ms};
    Tuning tuning;
    tuning.use_aes = seed % 2 == 0;
    net.add_nodes(2, tuning);
    exchange(net, 12, 1u << 20);
  }
}

}  // namespace
}  // namespace migd::channel::test
