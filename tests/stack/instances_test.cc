// Several instances in one process, and many connections in one instance.
#include <algorithm>

#include "tests/stack/test_bed.h"

namespace migd::test {
namespace {

// A run of a script that can be stopped after each step, and its trace.
struct Script {
  explicit Script(std::uint16_t node, std::uint32_t window) : a(node, options(window), now) {
    EXPECT_TRUE(a.stack->listen(peer.options.remote, "web", &a));
  }
  static StackOptions options(std::uint32_t window) {
    StackOptions options = default_options();
    options.window = options.send_buffer = window;
    return options;
  }
  bool step() {
    switch (at++) {
      case 0:
        give(peer.syn());
        break;
      case 1:
        give(peer.ack());
        a.stack->deliver_events(now);
        a.established.at(0)->bind("app", &app);
        break;
      case 40:
        now += 3s;
        a.stack->on_deadline(now);
        break;
      case 80:
        a.established[0]->shutdown_write();
        break;
      case 100:
        return false;
      default:
        if (at % 3 == 0) give(peer.data(ramp(700, at)));
        if (at % 3 == 1) a.established[0]->write(ramp(9000, at));
        if (at % 3 == 2) give(peer.ack());
        if (at % 7 == 0) give(peer.data(ramp(100), {.seq = peer.send_next + 1000}));
        now += 13ms;
        a.stack->on_deadline(now);
    }
    a.stack->deliver_events(now);
    for (const SeenSegment& segment : a.sent) {
      append(trace, segment.packet);
      trace.push_back(static_cast<std::uint8_t>((segment.at - begin) / 1ms));
      peer.take(segment);
    }
    a.sent.clear();
    return true;
  }
  void give(const Bytes& packet) {
    Frame frame = a.pool->copy_of(packet);
    a.stack->input(frame, now);
  }

  std::uint32_t at = 0;
  const Instant begin{Duration(1000s)};
  Instant now = begin;
  Peer peer;
  TestApp app;
  TestNode a;
  Bytes trace;
};

TEST(InstancesTest, DoNotNoticeEachOther) {
  Script alone_small(1, 20000), alone_large(2, 1u << 20);
  while (alone_small.step()) {
  }
  while (alone_large.step()) {
  }
  Script small(1, 20000), large(2, 1u << 20);
  bool more = true;
  while (more) {
    more = small.step();
    more = large.step() || more;
  }
  EXPECT_GT(small.trace.size(), 10000u);
  EXPECT_TRUE(small.trace == alone_small.trace);
  EXPECT_TRUE(large.trace == alone_large.trace);
  EXPECT_FALSE(small.trace == large.trace);
}

TEST(InstancesTest, InitialSequenceNumbersTellNothing) {  // RFC 6528
  TestBed one, two;
  one.give(one.peer.syn());
  two.give(two.peer.syn());
  EXPECT_EQ(one.take_one().seq, two.take_one().seq);  // equal seeds: reproducible
  TestNode other(9, default_options(), one.now);
  ASSERT_TRUE(other.stack->listen(one.peer.options.remote, "web", &other));
  Frame frame = other.pool->copy_of(Peer().syn());
  other.stack->input(frame, one.now);
  EXPECT_NE(other.sent.at(0).seq, one.peer.first_byte - 1);
}

class ManyConnectionsTest : public ::testing::Test {
 protected:
  static constexpr int kMany = 10000;
  static PeerOptions options_of(int i) {
    PeerOptions options;
    options.local.address = IpAddress::v4(0x0a4d0100u + static_cast<std::uint32_t>(i) / 200);
    options.local.port = static_cast<std::uint16_t>(1024 + i % 200 * 7);
    options.iss = static_cast<std::uint32_t>(i) * 99991u;
    return options;
  }
  ManyConnectionsTest() : node(1, options(), now) {
    EXPECT_TRUE(node.stack->listen(PeerOptions().remote, "web", &node));
  }
  static StackOptions options() {
    StackOptions options = default_options();
    options.backlog = 65535;
    return options;
  }
  void give(Peer& peer, const Bytes& packet) {
    Frame frame = node.pool->copy_of(packet);
    ASSERT_EQ(node.stack->input(frame, now), Stack::InputVerdict::kTaken);
    node.stack->deliver_events(now);
    for (const SeenSegment& segment : node.sent)
      peer.take(segment);
    node.sent.clear();
  }

  Instant now{Duration(1s)};
  TestNode node;
};

TEST_F(ManyConnectionsTest, EachGetsItsOwn) {
  std::vector<Peer> peers;
  std::vector<std::unique_ptr<TestApp>> apps;
  for (int i = 0; i < kMany; ++i) {
    Peer& peer = peers.emplace_back(options_of(i));
    give(peer, peer.syn());
    give(peer, peer.ack());
    apps.push_back(std::make_unique<TestApp>());
    node.established.back()->bind("app", apps.back().get());
  }
  EXPECT_EQ(node.stack->counts().total, static_cast<std::uint32_t>(kMany));
  for (int round = 0; round < 3; ++round) {
    for (int i = kMany - 1; i >= 0; --i) {
      const auto at = static_cast<std::size_t>(i);
      give(peers[at], peers[at].data(ramp(20, at + static_cast<std::size_t>(round) * 20)));
    }
  }
  for (std::size_t i = 0; i < kMany; ++i)
    ASSERT_EQ(apps[i]->received, ramp(60, i));
  std::size_t visited = 0;
  node.stack->for_each([&](Connection& connection) {
    ++visited;
    EXPECT_EQ(node.stack->find(connection.id()), &connection);
    EXPECT_EQ(node.stack->find(connection.tuple()), &connection);
  });
  EXPECT_EQ(visited, static_cast<std::size_t>(kMany));
  for (Peer& peer : peers)
    give(peer, peer.rst());
  EXPECT_EQ(node.stack->counts().total, 0u);
  EXPECT_EQ(node.gone, kMany);
}

TEST(LimitsTest, BacklogAndConnections) {
  StackOptions options = default_options();
  options.backlog = 10;
  options.connections_max = 15;
  options.syn_cookies = false;
  TestNode node(1, options, Instant{});
  ASSERT_TRUE(node.stack->listen(PeerOptions().remote, "web", &node));
  std::vector<Peer> peers;
  const auto give = [&](const Bytes& packet) {
    Frame frame = node.pool->copy_of(packet);
    node.stack->input(frame, Instant{});
    node.stack->deliver_events(Instant{});
    for (const SeenSegment& segment : node.sent) {
      for (Peer& peer : peers) {
        if (peer.options.local == segment.tuple.peer) peer.take(segment);
      }
    }
    node.sent.clear();
  };
  for (int i = 0; i < 20; ++i) {
    PeerOptions peer;
    peer.local.port = static_cast<std::uint16_t>(1000 + i);
    peers.emplace_back(peer);
  }
  for (Peer& peer : peers)
    give(peer.syn());
  EXPECT_EQ(node.stack->counts().half_open, 10u);
  EXPECT_EQ(node.stack->drops().of(DropReason::kBacklogFull), 10u);
  for (Peer& peer : peers) {
    if (peer.established) give(peer.ack());
  }
  EXPECT_EQ(node.stack->counts().half_open, 0u);
  for (Peer& peer : peers) {
    if (!peer.established) give(peer.syn());
  }
  EXPECT_EQ(node.stack->counts().total, 15u);
  EXPECT_EQ(node.stack->drops().of(DropReason::kTooManyConnections), 5u);
}

TEST(LimitsTest, RoomThatIsReservedIsNoClients) {
  StackOptions options = default_options();
  options.connections_max = 2;
  TestNode node(1, options, Instant{});
  ASSERT_TRUE(node.stack->listen(PeerOptions().remote, "web", &node));
  const auto syn_from = [&](std::uint16_t port) {
    PeerOptions peer;
    peer.local.port = port;
    Frame frame = node.pool->copy_of(Peer(peer).syn());
    node.stack->input(frame, Instant{});
  };
  EXPECT_EQ(node.stack->room(), 2u);
  node.stack->reserve(1);
  syn_from(1000);
  EXPECT_EQ(node.stack->room(), 0u);
  syn_from(1001);
  EXPECT_EQ(node.stack->counts().total, 1u);
  EXPECT_EQ(node.stack->drops().of(DropReason::kTooManyConnections), 1u);
  node.stack->reserve(0);
  syn_from(1001);
  EXPECT_EQ(node.stack->counts().total, 2u);
}

TEST(LimitsTest, ListenersAreDistinct) {
  TestNode node(1, default_options(), Instant{});
  EXPECT_TRUE(node.stack->listen(PeerOptions().remote, "web", &node));
  EXPECT_FALSE(node.stack->listen(PeerOptions().remote, "other", &node));
  EXPECT_TRUE(node.stack->listen(PeerOptions::v6().remote, "web", &node));
}

TEST(LimitsTest, SynFromNowhereIsIgnored) {  // RFC 9293 MUST-63
  TestNode node(1, default_options(), Instant{});
  ASSERT_TRUE(node.stack->listen(PeerOptions().remote, "web", &node));
  for (const char* from : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "10.77.0.200"}) {
    PeerOptions options;
    options.local.address = *IpAddress::parse(from);
    Frame frame = node.pool->copy_of(Peer(options).syn());
    EXPECT_EQ(node.stack->input(frame, Instant{}), Stack::InputVerdict::kTaken);
  }
  EXPECT_TRUE(node.sent.empty());
  EXPECT_EQ(node.stack->counts().total, 0u);
}

TEST(OffloadTest, ChecksumsAreLeftToTheDevice) {
  StackOptions options = default_options();
  options.link.checksum_offload = true;
  TestBed bed(Moves::kNever, {}, options);
  bed.connect();
  bed.write(ramp(3000));
  for (const SeenSegment& segment : bed.take()) {
    EXPECT_EQ(segment.offload.checksum, Offload::Checksum::kPartial);
    Bytes expected = segment.packet;
    make_partial(expected);
    EXPECT_EQ(segment.packet, expected);
  }
}

}  // namespace
}  // namespace migd::test
