// Sessions over time: restarts, partitions, replays, keys that change.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/migrator/channel/virtual_net.h"

namespace migd::channel::test {
namespace {

constexpr NodeId kOne{1}, kTwo{2}, kThree{3};

bool delivers(VirtualNet& net, std::uint16_t from, std::uint16_t to) {
  const std::size_t before = net.node(to).received.size();
  if (!net.node(from).send(NodeId{to}, 1, "ping", Bytes(5000, 1))) return false;
  return net.run_until([&] { return net.node(to).received.size() > before; }, 2s);
}

TEST(Session, APeerThatRestartsGoesDownAndUp) {
  VirtualNet net(1);
  net.add_nodes(2);
  ASSERT_TRUE(net.run_until_up());
  ASSERT_TRUE(delivers(net, 1, 2));
  ASSERT_TRUE(net.node(1).send(kTwo, 1, "lost", Bytes(3'000'000)));
  net.run_for(300us);
  net.node(2).restart(Boot{2002});
  ASSERT_TRUE(net.run_until([&] { return net.node(1).ups.size() == 2; }, 2s));
  ASSERT_EQ(net.node(1).downs.size(), 1u);
  EXPECT_EQ(net.node(1).downs[0], (std::pair<NodeId, std::string>{kTwo, "it restarted"}));
  EXPECT_EQ(net.node(1).ups[1], (std::pair{kTwo, Boot{2002}}));
  EXPECT_EQ(net.node(1).channel().queued_bytes(kTwo), 0u);
  ASSERT_TRUE(delivers(net, 1, 2));
  ASSERT_TRUE(delivers(net, 2, 1));
  for (const Received& message : net.node(2).received)
    EXPECT_NE(as_text(message.head), "lost");
}

TEST(Session, BothRestartAtOnce) {
  VirtualNet net(2);
  net.add_nodes(2);
  ASSERT_TRUE(net.run_until_up());
  net.node(1).restart(Boot{2001});
  net.node(2).restart(Boot{2002});
  ASSERT_TRUE(net.run_until_up());
  EXPECT_EQ(net.node(1).channel().peer_boot(kTwo), Boot{2002});
  EXPECT_TRUE(delivers(net, 1, 2) && delivers(net, 2, 1));
}

TEST(Session, SilenceEndsItAndItComesBack) {
  VirtualNet net(3);
  net.add_nodes(2);
  ASSERT_TRUE(net.run_until_up());
  net.run_for(1s);
  const Instant cut = net.now();
  net.faults.lose = 1;
  ASSERT_TRUE(net.run_until([&] { return net.node(1).downs.size() == 1; }, 10s));
  EXPECT_GE(net.now() - cut, 3s - 200ms);
  EXPECT_LE(net.now() - cut, 3s + 200ms);
  EXPECT_EQ(net.node(1).downs[0].second, "no sign of life");
  net.run_for(5s);
  const std::uint64_t before = net.datagrams;
  net.run_for(10s);
  EXPECT_LE(net.datagrams - before, 2 * 14u);  // HELLOs at most every 750 ms
  net.faults.lose = 0;
  ASSERT_TRUE(net.run_until_up());
  EXPECT_TRUE(delivers(net, 1, 2) && delivers(net, 2, 1));
}

TEST(Session, OneSidedSilenceEndsItOnBothSides) {
  VirtualNet net(4);
  net.add_nodes(2);
  ASSERT_TRUE(net.run_until_up());
  bool cut = true;
  net.tap = [&](Captured& d) { return !(cut && d.from == net.node(2).address()); };
  ASSERT_TRUE(net.run_until([&] { return net.node(1).downs.size() == 1; }, 10s));
  ASSERT_TRUE(net.run_until([&] { return net.node(2).downs.size() == 1; }, 10s));
  cut = false;
  ASSERT_TRUE(net.run_until_up());
  EXPECT_TRUE(delivers(net, 1, 2) && delivers(net, 2, 1));
  net.run_for(5s);
  EXPECT_EQ(net.node(1).downs.size(), 1u);
}

TEST(Session, ANodeThatEndsSaysSo) {
  VirtualNet net(5);
  net.add_nodes(3);
  ASSERT_TRUE(net.run_until_up());
  const Instant begin = net.now();
  net.node(1).channel().close(net.now());
  ASSERT_TRUE(net.run_until(
      [&] { return net.node(2).downs.size() == 1 && net.node(3).downs.size() == 1; }, 1s));
  EXPECT_LT(net.now() - begin, 10ms);
  EXPECT_EQ(net.node(2).downs[0], (std::pair<NodeId, std::string>{kOne, "it ended in order"}));
  EXPECT_EQ(net.node(1).channel().next_deadline(), kNever);
  net.run_for(1s);
  EXPECT_FALSE(net.node(2).channel().session_up(kOne));
  net.node(1).restart(Boot{3001});
  ASSERT_TRUE(net.run_until_up());
}

TEST(Session, ComesUpAtHeavyLoss) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    VirtualNet net(seed);
    net.faults = {.lose = 0.4, .repeat = 0.2, .jitter = 1ms};
    net.add_nodes(2);
    ASSERT_TRUE(net.run_until_up(30s));
    EXPECT_TRUE(delivers(net, 1, 2));
  }
}

// ---- replays ----

TEST(Session, ReplayOfEverythingDoesNothing) {
  VirtualNet net(6);
  net.capturing = true;
  net.add_nodes(2);
  ASSERT_TRUE(net.run_until_up());
  for (int i = 0; i < 5; ++i)
    ASSERT_TRUE(delivers(net, 1, 2) && delivers(net, 2, 1));
  net.run_for(1s);
  net.capturing = false;
  Node& a = net.node(1);
  Node& b = net.node(2);
  const std::size_t heartbeats = a.heartbeats.size() + b.heartbeats.size();
  const std::uint64_t before = net.datagrams;
  for (const Captured& datagram : net.captured)
    net.inject(datagram);
  std::reverse(net.captured.begin(), net.captured.end());
  for (const Captured& datagram : net.captured)
    net.inject(datagram);
  net.run_for(10ms);
  EXPECT_LT(net.datagrams - before, 50u);
  EXPECT_EQ(a.received.size() + b.received.size(), 10u);
  EXPECT_EQ(a.heartbeats.size() + b.heartbeats.size(), heartbeats);
  EXPECT_GT(a.refused("replayed"), 10u);
  EXPECT_GT(b.refused("replayed"), 10u);
  net.run_for(5s);
  EXPECT_EQ(a.ups.size() + b.ups.size(), 2u);
  EXPECT_EQ(a.downs.size() + b.downs.size(), 0u);
  EXPECT_EQ(a.counter("migd_channel_sessions_rekeyed_total"), 0u);
  EXPECT_EQ(b.counter("migd_channel_sessions_rekeyed_total"), 0u);
  EXPECT_TRUE(delivers(net, 1, 2) && delivers(net, 2, 1));
}

TEST(Session, ReplayOfAnEarlierLifeDoesNothing) {
  VirtualNet net(7);
  net.capturing = true;
  net.add_nodes(2);
  ASSERT_TRUE(net.run_until_up());
  ASSERT_TRUE(delivers(net, 1, 2) && delivers(net, 2, 1));
  net.capturing = false;
  net.node(2).restart(Boot{2002});
  ASSERT_TRUE(net.run_until([&] { return net.node(1).ups.size() == 2; }, 2s));
  net.run_for(1s);
  // To a node that has seen the boot end: refused by name. To one that has restarted itself and
  // so knows nothing: an answer, that nobody takes up.
  for (const Captured& datagram : net.captured)
    net.inject(datagram);
  net.run_for(5s);
  EXPECT_GT(net.node(1).refused("stale_boot"), 0u);
  EXPECT_GT(net.node(1).refused("unknown_session"), 0u);
  net.node(1).restart(Boot{2001});
  ASSERT_TRUE(net.run_until_up());
  net.run_for(1s);
  for (int i = 0; i < 3; ++i) {
    for (const Captured& datagram : net.captured)
      net.inject(datagram);
    net.run_for(50ms);
  }
  net.run_for(5s);
  EXPECT_EQ(net.node(1).ups.size(), 3u);
  EXPECT_EQ(net.node(2).ups.size(), 3u);
  EXPECT_EQ(net.node(2).channel().peer_boot(kOne), Boot{2001});
  EXPECT_EQ(net.node(2).received.size() + net.node(1).received.size(), 2u);
  EXPECT_TRUE(delivers(net, 1, 2) && delivers(net, 2, 1));
}

TEST(Session, ReplayedHellosOpenNothingAndAreAnsweredAtABoundedRate) {
  VirtualNet net(8);
  net.capturing = true;
  net.add_nodes(2);
  ASSERT_TRUE(net.run_until_up());
  net.capturing = false;
  std::vector<Captured> hellos;
  for (const Captured& d : net.captured) {
    if (d.bytes[0] == kTypeHello && d.to == net.node(1).address()) hellos.push_back(d);
  }
  ASSERT_FALSE(hellos.empty());
  // Node 2 is gone; somebody speaks in its place.
  net.node(2).stop();
  net.node(1).restart(Boot{2001});
  std::uint64_t answers = 0;
  net.tap = [&](Captured& d) {
    EXPECT_LE(d.bytes.size(), kHelloSize);
    ++answers;
    return true;
  };
  for (int i = 0; i < 1000; ++i) {
    for (const Captured& hello : hellos)
      net.inject(hello);
    net.run_for(1ms);
  }
  EXPECT_FALSE(net.node(1).channel().session_up(kTwo));
  EXPECT_EQ(net.node(1).ups.size(), 1u);
  EXPECT_LE(answers, 120u);  // in a second
  EXPECT_GT(net.node(1).refused("hello_rate"), 0u);
}

// ---- keys ----

TEST(Session, NoSessionForAWrongKey) {
  VirtualNet net(9);
  net.add_nodes(2, {}, [](ChannelOptions& options) {
    if (options.self == kTwo) options.secret_keys = {KeyPair::from_seed(99).secret};
  });
  net.run_for(3s);
  EXPECT_FALSE(net.node(1).channel().session_up(kTwo));
  EXPECT_FALSE(net.node(2).channel().session_up(kOne));
  EXPECT_GT(net.node(1).refused("unknown_key"), 0u);
}

TEST(Session, NoSessionForWhoOnlyNamesTheRightKey) {
  VirtualNet net(10);
  net.add_nodes(2);
  // HELLOs that claim the pair of keys of 2, sealed without its secret.
  const KeyPair other = KeyPair::from_seed(99);
  StaticPair forged =
      make_static_pairs(kTwo, {other.secret}, kOne, {KeyPair::from_seed(1).public_key}).front();
  forged.own = key_id(KeyPair::from_seed(2).public_key);
  Hello hello;
  hello.receiver = kOne;
  hello.offer.boot = Boot{5};
  net.node(2).stop();
  net.run_for(1ms);
  const std::uint64_t before = net.datagrams;
  net.inject(
      {net.node(2).address(), net.node(1).address(), seal_hello(kTwo, forged, hello, net.rng())});
  EXPECT_EQ(net.datagrams, before);
  EXPECT_EQ(net.node(1).refused("bad_tag"), 1u);
}

TEST(Session, RotationOfStaticKeys) {
  const KeyPair old_one = KeyPair::from_seed(1), new_one = KeyPair::from_seed(11);
  const KeyPair old_two = KeyPair::from_seed(2), new_two = KeyPair::from_seed(12);
  using Secrets = std::vector<Key>;
  struct Case {
    Secrets ones, ones_known_to_two, twos, twos_known_to_one;
  };
  const Case cases[] = {
      // One has its new key, two does not know it yet, and the other way round.
      {{new_one.secret, old_one.secret},
       {old_one.public_key},
       {old_two.secret},
       {old_two.public_key}},
      {{old_one.secret},
       {new_one.public_key, old_one.public_key},
       {old_two.secret},
       {old_two.public_key}},
      // Both rotate, and each prefers another pair.
      {{new_one.secret, old_one.secret},
       {old_one.public_key, new_one.public_key},
       {new_two.secret, old_two.secret},
       {old_two.public_key, new_two.public_key}},
      {{new_one.secret, old_one.secret},
       {old_one.public_key},
       {old_two.secret, new_two.secret},
       {new_two.public_key}},
  };
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      SCOPED_TRACE(std::to_string(i) + "/" + std::to_string(seed));
      VirtualNet net(seed);
      net.faults = {.lose = seed > 1 ? 0.2 : 0, .jitter = 200us};
      net.add_nodes(2, {}, [&](ChannelOptions& options) {
        const bool one = options.self == kOne;
        options.secret_keys = one ? cases[i].ones : cases[i].twos;
        options.peers[0].public_keys =
            one ? cases[i].twos_known_to_one : cases[i].ones_known_to_two;
      });
      ASSERT_TRUE(net.run_until_up(20s));
      EXPECT_TRUE(delivers(net, 1, 2) && delivers(net, 2, 1));
      net.run_for(5s);
      EXPECT_EQ(net.node(1).downs.size() + net.node(2).downs.size(), 0u);
      EXPECT_TRUE(delivers(net, 1, 2) && delivers(net, 2, 1));
    }
  }
}

TEST(Session, KeysAreReplacedUnderLoad) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    VirtualNet net(seed);
    net.faults = {.lose = seed % 2 == 0 ? 0.1 : 0, .jitter = 300us};
    Tuning tuning;
    tuning.rekey_packets = 700;
    tuning.rekey_bytes = 1'000'000;
    net.add_nodes(3, tuning, [](ChannelOptions& options) { options.heartbeat = 5ms; });
    ASSERT_TRUE(net.run_until_up());
    const Bytes body(20'000, 7);
    std::size_t sent = 0;
    for (; sent < 400; ++sent) {
      if (sent % 2 == 0) {
        ASSERT_TRUE(net.node(1).send(kTwo, 1, std::to_string(sent), body));
      } else {
        ASSERT_TRUE(net.node(1).send_via(kThree, kTwo, 1, std::to_string(sent), body));
      }
      net.run_for(2ms);
    }
    ASSERT_TRUE(net.run_until([&] { return net.node(2).received.size() >= sent; }, 20s));
    net.run_for(1s);
    EXPECT_EQ(net.node(2).received.size(), sent);
    for (std::uint16_t id : {1, 2, 3})
      EXPECT_TRUE(net.node(id).downs.empty());
    EXPECT_GE(net.node(1).counter("migd_channel_sessions_rekeyed_total"), 3u);
    if (seed % 2 == 0) continue;
    EXPECT_EQ(net.node(2).refused("unknown_session"), 0u);
  }
}

TEST(Session, KeysAreReplacedByTime) {
  VirtualNet net(11);
  Tuning tuning;
  tuning.rekey_after = 1s;
  tuning.old_session_lifetime = 100ms;
  net.add_nodes(2, tuning);
  ASSERT_TRUE(net.run_until_up());
  net.capturing = true;
  net.run_for(10s);
  EXPECT_GE(net.node(1).counter("migd_channel_sessions_rekeyed_total"), 7u);
  EXPECT_EQ(net.node(1).ups.size() + net.node(2).ups.size(), 2u);
  std::set<std::uint32_t> sessions;
  for (const Captured& d : net.captured) {
    if (d.bytes[0] != kTypeData) continue;
    BoundedReader in(d.bytes);
    in.skip(1);
    sessions.insert(read_data_header(in).session);
  }
  EXPECT_GE(sessions.size(), 7u);
  EXPECT_EQ(net.node(1).refused("unknown_session") + net.node(2).refused("unknown_session"), 0u);
}

TEST(Session, EndsWhenItsKeysAreUsedUpAndCannotBeReplaced) {
  VirtualNet net(12);
  Tuning tuning;
  tuning.rekey_packets = 50;
  net.add_nodes(2, tuning, [](ChannelOptions& options) { options.heartbeat = 5ms; });
  ASSERT_TRUE(net.run_until_up());
  net.tap = [](Captured& d) { return d.bytes[0] != kTypeHello; };
  ASSERT_TRUE(net.run_until([&] { return !net.node(1).downs.empty(); }, 5s));
  EXPECT_EQ(net.node(1).downs[0].second, "its keys are used up");
}

// ---- versions ----

TEST(Session, IncompatibleNodesSayWhy) {
  struct Case {
    void (*change)(Capabilities&);
    const char* reason;
  };
  const Case cases[] = {
      {[](Capabilities& c) {
         c.channel = {2, 3};
       },
       "incompatible_channel_version"},
      {[](Capabilities& c) {
         c.blob = {2, 3};
       },
       "incompatible_blob_version"},
      {[](Capabilities& c) { c.encapsulations = 0x04; }, "incompatible_encapsulation"},
      {[](Capabilities& c) { c.timestamp_layout = 2; }, "incompatible_timestamp_layout"},
      {[](Capabilities& c) { c.window_profile = 2; }, "incompatible_window_profile"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.reason);
    VirtualNet net(13);
    net.add_nodes(2);
    one.change(net.node(2).tuning.capabilities);
    net.node(2).restart(Boot{2002});
    net.run_for(3s);
    EXPECT_TRUE(net.node(1).ups.empty());
    EXPECT_TRUE(net.node(2).ups.empty());
    EXPECT_GT(net.node(1).refused(one.reason), 0u);
    EXPECT_GT(net.node(2).refused(one.reason), 0u);
    const Result<void> sent = net.node(1).send(kTwo, 1, "");
    EXPECT_EQ(sent.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(sent.error().text.find(one.reason), std::string::npos);
    // An upgrade heals it.
    net.node(2).tuning.capabilities = {};
    net.node(2).restart(Boot{2003});
    ASSERT_TRUE(net.run_until_up());
  }
}

TEST(Session, OverlappingVersionsAreEnough) {
  VirtualNet net(14);
  net.add_nodes(2);
  net.node(2).tuning.capabilities.blob = {1, 4};
  net.node(2).tuning.capabilities.encapsulations = 0x01;
  net.node(2).tuning.use_aes = false;
  net.node(2).restart(Boot{2002});
  ASSERT_TRUE(net.run_until_up());
  EXPECT_TRUE(delivers(net, 1, 2) && delivers(net, 2, 1));
}

TEST(Session, TheSmallerDatagramCounts) {
  VirtualNet net(15);
  net.add_nodes(3, {}, [](ChannelOptions& options) {
    options.datagram_max = options.self == kTwo ? 1232 : 8900;
  });
  ASSERT_TRUE(net.run_until_up());
  ASSERT_TRUE(delivers(net, 1, 2) && delivers(net, 2, 1));
  ASSERT_TRUE(net.node(1).send_via(kTwo, kThree, 1, "", Bytes(50'000)));
  ASSERT_TRUE(net.node(1).send_via(kThree, kTwo, 1, "", Bytes(50'000)));
  ASSERT_TRUE(net.run_until(
      [&] { return net.node(3).received.size() == 1 && net.node(2).received.size() == 2; }, 1s));
  EXPECT_EQ(net.node(2).refused("oversized"), 0u);
}

}  // namespace
}  // namespace migd::channel::test
