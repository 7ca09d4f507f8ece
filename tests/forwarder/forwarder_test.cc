#include "forwarder/forwarder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "forwarder/order_mark.h"
#include "forwarder/rendezvous.h"
#include "tests/forwarder/test_nodes.h"

namespace migd {
namespace {

using test::client_packet;
using test::connection_id;
using test::node_info;
using test::tuple_v4;
using test::tuple_v6;
using Route = Forwarder::Route;

constexpr Roles kForwarderRole{.forwarder = true};
constexpr Roles kClassifierRole{.classifier = true};
constexpr Roles kHostRole{.host = true};

// Node 1 under test; 2 and 3 classifiers; 4 and 5 hosts.
struct Fixture {
  explicit Fixture(Roles own)
      : self(node_info(1, own)),
        peers{node_info(2, kClassifierRole), node_info(3, kClassifierRole), node_info(4, kHostRole),
              node_info(5, kHostRole)},
        tunnel(self, peers),
        health(self, peers, bus),
        forwarder(self, peers, tunnel.tunnel, health, bus, tunnel.drops, tunnel.rng, now) {
    bus.subscribe<MappingInstalled>([this](const MappingInstalled& m) { installed.push_back(m); });
    bus.subscribe<MappingRefused>([this](const MappingRefused& m) { refused.push_back(m); });
    for (const NodeInfo& peer : peers)
      tell(PeerUp{peer.id, Boot{1}});
  }

  void tell(Message message) {
    bus.post(std::move(message));
    bus.dispatch();
  }
  void map(const FourTuple& tuple, std::uint16_t owner, std::uint32_t flow = 77,
           std::uint32_t epoch = 2) {
    tell(MappingRequest{tuple, {connection_id(9), Epoch{epoch}}, NodeId{owner}, FlowId{flow}});
  }
  void move(const FourTuple& tuple, std::uint16_t from, std::uint16_t to, std::uint32_t flow,
            std::uint32_t epoch) {
    tell(MappingRequest{
        tuple, {connection_id(9), Epoch{epoch}}, NodeId{to}, FlowId{flow}, NodeId{from}});
    forwarder.send_order_marks();
  }
  Route route(ByteView packet) {
    Frame frame = tunnel.frame_of(packet);
    const IpHeader ip = *parse_ip(frame.bytes());
    const Route taken = forwarder.route(frame, ip, now);
    EXPECT_TRUE(taken != Route::kLocal || frame) << "it is left with the caller";
    EXPECT_TRUE(taken != Route::kSent || !frame);
    return taken;
  }
  // What was sent last: to whom, and the GUE header if it has one.
  NodeId sent_to() {
    const IpHeader ip = *parse_ip(tunnel.output.frames.back().bytes());
    for (const NodeInfo& peer : peers) {
      if (peer.tunnel(ip.family()) == ip.dst) return peer.id;
    }
    return {};
  }
  std::optional<UdpView> outer() {
    const ByteView packet = tunnel.output.frames.back().bytes();
    const IpHeader ip = *parse_ip(packet);
    if (ip.protocol != kProtocolUdp) return std::nullopt;
    return *UdpView::parse(packet.subspan(ip.header_size));
  }
  std::uint16_t outer_port() { return outer()->src_port(); }
  std::optional<GueHeader> gue() {
    const auto udp = outer();
    return udp ? std::optional(*GueHeader::parse(udp->payload())) : std::nullopt;
  }
  ByteView inner() { return outer()->payload().subspan(gue()->size()); }

  Instant now{100s};
  MessageBus bus;
  NodeInfo self;
  std::vector<NodeInfo> peers;
  test::TestTunnel tunnel;
  NodeHealth health;
  Forwarder forwarder;
  std::vector<MappingInstalled> installed;
  std::vector<MappingRefused> refused;
};

TEST(Forwarder, MappedElsewhereIsSentMapped) {
  Fixture t(kForwarderRole);
  for (const FourTuple& tuple : {tuple_v4(), tuple_v6()}) {
    t.map(tuple, 4);
    EXPECT_EQ(t.route(client_packet(tuple, 100)), Route::kSent);
    EXPECT_EQ(t.sent_to(), NodeId{4});
    EXPECT_FALSE(t.gue().has_value());
  }
}

TEST(Forwarder, LookingAheadIsNoUse) {
  Fixture t(kForwarderRole);
  EXPECT_FALSE(t.forwarder.looks_ahead());
  t.map(tuple_v4(), 4);
  const Instant used = t.forwarder.mappings().peek(tuple_v4())->last_used;
  t.now += 1s;
  Bytes fragment = client_packet(tuple_v4(), 100);
  fragment[6] = 0x20;
  std::vector<Frame> frames;
  for (const Bytes& packet :
       {client_packet(tuple_v4(), 100), client_packet(tuple_v6(), 0), fragment,
        test::udp_packet({}), Bytes{}, Bytes(19, 0x45), Bytes(500, 0xff)}) {
    frames.push_back(t.tunnel.frame_of(packet));
    const ByteView cut = ByteView(packet).first(packet.size() * 2 / 3);
    frames.push_back(t.tunnel.frame_of(cut));
  }
  const auto drops = t.tunnel.drops.total();
  t.forwarder.look_ahead(frames);
  EXPECT_EQ(t.forwarder.mappings().peek(tuple_v4())->last_used, used);
  EXPECT_EQ(t.tunnel.drops.total(), drops);
  EXPECT_TRUE(t.tunnel.output.frames.empty());
  EXPECT_EQ(t.route(frames[0].bytes()), Route::kSent);
}

TEST(Forwarder, LooksAheadWhenThereAreManyMappings) {
  Fixture t(kForwarderRole);
  FourTuple tuple = tuple_v4();
  std::vector<Frame> frames;
  for (std::size_t i = 0; i < MappingTable::kMany; ++i) {
    EXPECT_FALSE(t.forwarder.looks_ahead());
    tuple.peer.port = static_cast<std::uint16_t>(i + 1);
    t.tell(MappingRequest{tuple, {connection_id(i), Epoch{2}}, NodeId{4}, FlowId{77}});
    if (i < 40) frames.push_back(t.tunnel.frame_of(client_packet(tuple, 0)));
  }
  EXPECT_TRUE(t.forwarder.looks_ahead());
  t.forwarder.look_ahead(frames);
  for (const Frame& frame : frames)
    EXPECT_EQ(t.route(frame.bytes()), Route::kSent);
}

TEST(Forwarder, InstalledMappingIsConfirmedWithThePreviousOwner) {
  Fixture t(kForwarderRole);
  t.map(tuple_v4(), 4, 77, 2);
  t.map(tuple_v4(), 5, 78, 3);
  ASSERT_EQ(t.installed.size(), 2u);
  EXPECT_EQ(t.installed[0].previous_owner, NodeId{});
  EXPECT_EQ(t.installed[1].previous_owner, NodeId{4});
  EXPECT_EQ(t.installed[1].owner, NodeId{5});
  EXPECT_EQ(t.installed[1].flow, FlowId{78});
}

// Sent last: an order mark of this epoch.
std::optional<Epoch> mark_in(ByteView packet) {
  const IpHeader ip = *parse_ip(packet);
  if (ip.protocol != kProtocolTcp) return std::nullopt;
  return order_mark(*TcpView::parse(packet.subspan(ip.header_size)));
}

TEST(Forwarder, AMarkFollowsTheLastPacketOfTheOldWay) {
  Fixture t(kForwarderRole);
  for (const FourTuple& tuple : {tuple_v4(), tuple_v6()}) {
    t.map(tuple, 4, 77, 2);
    t.route(client_packet(tuple, 100));
    const IpHeader before = *parse_ip(t.tunnel.output.frames.back().bytes());
    const Bytes ports(t.tunnel.output.frames.back().data() + before.header_size,
                      t.tunnel.output.frames.back().data() + before.header_size + 4);
    t.move(tuple, 4, 5, 78, 3);
    const ByteView mark = t.tunnel.output.frames.back().bytes();
    const IpHeader ip = *parse_ip(mark);
    EXPECT_EQ(mark_in(mark), Epoch{3});
    EXPECT_EQ(ip.dst, before.dst);
    EXPECT_TRUE(std::equal(ports.begin(), ports.end(), mark.data() + ip.header_size))
        << "of the same flow";
    EXPECT_TRUE(l4_checksum_ok(ip, t.tunnel.output.frames.back()));
    const std::size_t sent = t.tunnel.output.frames.size();
    t.move(tuple, 4, 5, 78, 3);
    EXPECT_EQ(t.tunnel.output.frames.size(), sent) << "once";
  }
}

TEST(Forwarder, NoMarkForAFlowWhoseLastPacketLeftLongAgo) {
  Fixture t(kForwarderRole);
  for (const FourTuple& tuple : {tuple_v4(), tuple_v6()}) {
    t.map(tuple, 4, 77, 2);
    t.route(client_packet(tuple, 100));
  }
  std::size_t sent = t.tunnel.output.frames.size();
  t.now += Forwarder::kQuiet - 1ms;
  t.forwarder.set_time(t.now);
  t.move(tuple_v4(), 4, 5, 78, 3);
  EXPECT_EQ(t.tunnel.output.frames.size(), ++sent);
  EXPECT_FALSE(t.installed.back().quiet);
  t.now += 1ms;
  t.forwarder.set_time(t.now);
  t.move(tuple_v6(), 4, 5, 78, 3);
  EXPECT_EQ(t.tunnel.output.frames.size(), sent);
  EXPECT_TRUE(t.installed.back().quiet);
  t.move(tuple_v6(), 4, 5, 78, 3);
  EXPECT_FALSE(t.installed.back().quiet) << "a repeated request: nothing leaves that way any more";
}

TEST(Forwarder, AMarkFollowsAnUnmappedFlowToTheClassifierThatHadIt) {
  Fixture t(kForwarderRole);
  t.route(client_packet(tuple_v4(), 100));
  const std::uint16_t port = t.outer_port();
  t.move(tuple_v4(), t.sent_to().value, 4, 77, 2);
  ASSERT_TRUE(t.gue().has_value());
  EXPECT_EQ(t.outer_port(), port) << "the underlay sees the same flow";
  EXPECT_EQ(mark_in(t.inner()), Epoch{2});
}

TEST(Forwarder, NoMarkForAFlowThatDoesNotMoveOrMovesFromHere) {
  Fixture t(kForwarderRole);
  t.map(tuple_v4(), 4, 77, 2);
  t.map(tuple_v4(), 4, 78, 3);
  t.map(tuple_v6(), 1, 77, 2);
  t.move(tuple_v6(), 1, 4, 77, 3);
  EXPECT_TRUE(t.tunnel.output.frames.empty());
}

TEST(Forwarder, StaleRequestChangesNothingAndIsNotConfirmed) {
  Fixture t(kForwarderRole);
  t.map(tuple_v4(), 4, 77, 3);
  t.map(tuple_v4(), 5, 78, 2);
  EXPECT_EQ(t.installed.size(), 1u);
  ASSERT_EQ(t.refused.size(), 1u);
  EXPECT_EQ(t.refused[0].request.owner, NodeId{5});
  EXPECT_EQ(t.refused[0].mapped, (Tenure{connection_id(9), Epoch{3}}));
  EXPECT_EQ(t.refused[0].mapped_owner, NodeId{4});
  t.route(client_packet(tuple_v4(), 1));
  EXPECT_EQ(t.sent_to(), NodeId{4});
}

TEST(Forwarder, WhoIsHalfOpenHearsThatAnotherHasTheTuple) {
  Fixture t(kForwarderRole);
  const Tenure half_open{connection_id(9, /*node=*/4), Epoch{1}};
  const Tenure complete{connection_id(9, /*node=*/5), Epoch{1}};
  t.tell(MappingRequest{tuple_v4(), half_open, NodeId{4}, FlowId{77}, NodeId{}, true});
  EXPECT_TRUE(t.refused.empty());
  t.tell(MappingRequest{tuple_v4(), complete, NodeId{5}, FlowId{78}});
  ASSERT_EQ(t.refused.size(), 1u);
  EXPECT_EQ(t.refused[0].request.tenure, half_open);
  EXPECT_TRUE(t.refused[0].request.half_open);
  EXPECT_EQ(t.refused[0].mapped_owner, NodeId{5});
}

TEST(Forwarder, ASynOpensAnewWhereWhoWasHalfOpenIsLost) {
  Fixture t(kForwarderRole);
  const Tenure half_open{connection_id(9, /*node=*/4), Epoch{1}};
  t.tell(MappingRequest{tuple_v4(), half_open, NodeId{4}, FlowId{77}, NodeId{}, true});
  t.route(client_packet(tuple_v4(), 1, tcp_flag::kSyn));
  EXPECT_EQ(t.sent_to(), NodeId{4});
  t.tell(PeerDown{NodeId{4}, ""});
  t.route(client_packet(tuple_v4(), 1, tcp_flag::kSyn));
  EXPECT_NE(t.sent_to(), NodeId{4});
  EXPECT_EQ(t.forwarder.mappings().size(), 0u);
}

TEST(Forwarder, MappedHereIsLocal) {
  Fixture t(kForwarderRole);
  t.map(tuple_v4(), 1);
  EXPECT_EQ(t.route(client_packet(tuple_v4(), 1)), Route::kLocal);
}

TEST(Forwarder, UnmappedIsLocalAtAClassifier) {
  Fixture t({.forwarder = true, .classifier = true});
  EXPECT_EQ(t.route(client_packet(tuple_v4(), 0, tcp_flag::kSyn)), Route::kLocal);
  EXPECT_EQ(t.route(client_packet(tuple_v4(), 1)), Route::kLocal);
}

TEST(Forwarder, NodeThatIsNoForwarderKeepsEverything) {
  Fixture t(kHostRole);
  t.map(tuple_v4(), 4);
  EXPECT_EQ(t.route(client_packet(tuple_v4(), 1)), Route::kLocal);
  EXPECT_EQ(t.route(client_packet(tuple_v6(), 1)), Route::kLocal);
}

TEST(Forwarder, UnmappedGoesToOneClassifierWithASecondChance) {
  Fixture t(kForwarderRole);
  EXPECT_EQ(t.route(client_packet(tuple_v4(), 0, tcp_flag::kSyn)), Route::kSent);
  const NodeId chosen = t.sent_to();
  ASSERT_TRUE(t.gue().has_value());
  EXPECT_EQ(t.gue()->next_hop, chosen == NodeId{2} ? NodeId{3} : NodeId{2});
  EXPECT_EQ(t.gue()->hops, 1);
  EXPECT_EQ(t.gue()->tenure, Tenure{});
  for (int i = 0; i < 5; ++i) {
    t.route(client_packet(tuple_v4(), 10));
    EXPECT_EQ(t.sent_to(), chosen);
  }
}

TEST(Forwarder, ForwardersAgreeOnTheClassifier) {
  Fixture a(kForwarderRole), b(kForwarderRole);
  b.tunnel.rng.next();
  for (std::uint16_t port = 1; port < 200; ++port) {
    FourTuple tuple = tuple_v4();
    tuple.peer.port = port;
    a.route(client_packet(tuple, 0, tcp_flag::kSyn));
    b.route(client_packet(tuple, 0, tcp_flag::kSyn));
    EXPECT_EQ(a.sent_to(), b.sent_to());
  }
}

TEST(Forwarder, DrainingClassifierGetsNothingNewButIsTheSecondChance) {
  Fixture t(kForwarderRole);
  t.tell(PeerLoadReported{NodeId{2}, {.draining = true}});
  for (std::uint16_t port = 1; port < 50; ++port) {
    FourTuple tuple = tuple_v4();
    tuple.peer.port = port;
    t.route(client_packet(tuple, 0, tcp_flag::kSyn));
    EXPECT_EQ(t.sent_to(), NodeId{3});
    EXPECT_EQ(t.gue()->next_hop, NodeId{2});
  }
  t.tell(PeerDown{NodeId{2}, "gone"});
  t.route(client_packet(tuple_v4(), 1));
  EXPECT_EQ(t.gue()->next_hop, NodeId{});
}

TEST(Forwarder, WhoTookAConnectionIsAskedFirstAlsoWhenItDrains) {
  Fixture t(kForwarderRole);
  for (std::uint16_t port = 1; port < 50; ++port) {
    FourTuple tuple = tuple_v4();
    tuple.peer.port = port;
    t.tell(PeerLoadReported{NodeId{2}, {.draining = false}});
    t.route(client_packet(tuple, 0, tcp_flag::kSyn));
    const NodeId took = t.sent_to();
    t.tell(PeerLoadReported{NodeId{2}, {.draining = true}});
    t.route(client_packet(tuple, 1));
    EXPECT_EQ(t.sent_to(), took);
    EXPECT_EQ(t.gue()->next_hop, took == NodeId{2} ? NodeId{3} : NodeId{2});
  }
}

TEST(Forwarder, OnlyADrainingClassifierIsBetterThanNone) {
  Fixture t(kForwarderRole);
  t.tell(PeerDown{NodeId{3}, "gone"});
  t.tell(PeerLoadReported{NodeId{2}, {.draining = true}});
  EXPECT_EQ(t.route(client_packet(tuple_v4(), 1)), Route::kSent);
  EXPECT_EQ(t.sent_to(), NodeId{2});
}

TEST(Forwarder, NoClassifierIsANamedDrop) {
  Fixture t(kForwarderRole);
  t.tell(PeerDown{NodeId{2}, "gone"});
  t.tell(PeerDown{NodeId{3}, "gone"});
  EXPECT_EQ(t.route(client_packet(tuple_v4(), 1)), Route::kDropped);
  EXPECT_EQ(t.tunnel.drops.of(DropReason::kNoNode), 1u);
}

TEST(Forwarder, SynOfAMappedTupleNamesTheConnectionToItsOwner) {
  Fixture t(kForwarderRole);
  t.map(tuple_v4(), 4, 77, 5);
  EXPECT_EQ(t.route(client_packet(tuple_v4(), 0, tcp_flag::kSyn)), Route::kSent);
  EXPECT_EQ(t.sent_to(), NodeId{4});
  ASSERT_TRUE(t.gue().has_value());
  EXPECT_EQ(t.gue()->tenure, (Tenure{connection_id(9), Epoch{5}}));
  EXPECT_TRUE(t.forwarder.mappings().peek(tuple_v4())->syn_seen);
  t.route(client_packet(tuple_v4(), 1));
  EXPECT_FALSE(t.gue().has_value()) << "others go on as before";
}

TEST(Forwarder, MappingWithoutFlowIdentifierGoesByGue) {
  Fixture t(kForwarderRole);
  t.map(tuple_v4(), 4, 0);
  EXPECT_EQ(t.route(client_packet(tuple_v4(), 1)), Route::kSent);
  ASSERT_TRUE(t.gue().has_value());
  EXPECT_EQ(t.gue()->tenure.connection, connection_id(9));
}

TEST(Forwarder, RemovedMappingIsUnmapped) {
  Fixture t({.forwarder = true, .classifier = true});
  t.map(tuple_v4(), 4, 77, 5);
  t.tell(MappingRemoveRequest{tuple_v4(), {connection_id(9), Epoch{4}}});
  EXPECT_EQ(t.route(client_packet(tuple_v4(), 1)), Route::kSent) << "that was stale";
  t.tell(MappingRemoveRequest{tuple_v4(), {connection_id(9), Epoch{5}}});
  EXPECT_EQ(t.route(client_packet(tuple_v4(), 1)), Route::kLocal);
}

TEST(Forwarder, PeerThatStartedAnewOwnsNothing) {
  Fixture t({.forwarder = true, .classifier = true});
  t.map(tuple_v4(), 4);
  t.map(tuple_v6(), 5);
  t.tell(PeerDown{NodeId{4}, "silent"});
  EXPECT_EQ(t.forwarder.mappings().size(), 2u) << "it may only be out of reach";
  t.tell(PeerUp{NodeId{4}, Boot{1}});
  EXPECT_EQ(t.forwarder.mappings().size(), 2u);
  t.tell(PeerUp{NodeId{4}, Boot{2}});
  EXPECT_EQ(t.forwarder.mappings().size(), 1u);
  EXPECT_EQ(t.route(client_packet(tuple_v4(), 1)), Route::kLocal);
}

TEST(Forwarder, WhatIsNoTcpIsDropped) {
  Fixture t(kForwarderRole);
  test::UdpFields udp;
  udp.dst = tuple_v4().local;
  EXPECT_EQ(t.route(test::udp_packet(udp)), Route::kDropped);
  Bytes echo(8);
  echo[0] = 8;
  EXPECT_EQ(t.route(test::ip_packet(tuple_v4().peer.address, tuple_v4().local.address,
                                    kProtocolIcmp, echo, 2, 1)),
            Route::kDropped);
  EXPECT_EQ(t.tunnel.drops.of(DropReason::kUnsupportedProtocol), 1u);
  EXPECT_EQ(t.tunnel.drops.of(DropReason::kIcmpIgnored), 1u);
  Bytes fragment = client_packet(tuple_v4(), 100);
  store_u16(&fragment[6], 0x2000);
  store_u16(&fragment[10], 0);
  store_u16(&fragment[10],
            static_cast<std::uint16_t>(~test::reference_sum(ByteView(fragment).first(20))));
  EXPECT_EQ(t.route(fragment), Route::kDropped);
  EXPECT_EQ(t.tunnel.drops.of(DropReason::kIpFragment), 1u);
  Bytes bad = client_packet(tuple_v4(), 100);
  bad[20 + 12] = 0x10;
  EXPECT_EQ(t.route(bad), Route::kDropped);
  EXPECT_EQ(t.tunnel.drops.of(DropReason::kBadTcpHeader), 1u);
}

// "Fragmentation needed", as a router on the way to the client sends it: it quotes our packet.
Bytes too_big(const FourTuple& flow) {
  const FourTuple outward{flow.peer, flow.local};  // client_packet() reversed
  const Bytes ours = client_packet(outward, 1000);
  const bool v4 = flow.local.address.is_v4();
  Bytes icmp{static_cast<std::uint8_t>(v4 ? 3 : 2),
             static_cast<std::uint8_t>(v4 ? 4 : 0),
             0,
             0,
             0,
             0,
             5,
             0};
  append(icmp, ByteView(ours).first((v4 ? 20 : 40) + 8));
  return test::ip_packet(test::address(v4 ? "10.77.3.3" : "fd77:3::3"), flow.local.address,
                         v4 ? kProtocolIcmp : kProtocolIcmpv6, icmp, 2, 1);
}

TEST(Forwarder, IcmpErrorFollowsTheFlowItQuotes) {
  Fixture t(kForwarderRole);
  for (const FourTuple& tuple : {tuple_v4(), tuple_v6()}) {
    t.map(tuple, 5);
    EXPECT_EQ(t.route(too_big(tuple)), Route::kSent);
    EXPECT_EQ(t.sent_to(), NodeId{5});
    ASSERT_TRUE(t.gue().has_value());
    EXPECT_EQ(t.gue()->tenure.connection, connection_id(9));
    FourTuple other = tuple;
    other.peer.port = 1;
    t.route(client_packet(other, 1));
    const NodeId classifier = t.sent_to();
    t.route(too_big(other));
    EXPECT_EQ(t.sent_to(), classifier) << "unmapped as well";
  }
  t.map(tuple_v4(), 1, 77, 3);
  EXPECT_EQ(t.route(too_big(tuple_v4())), Route::kLocal);
}

TEST(Forwarder, IcmpThatQuotesOddlyIsDropped) {
  Fixture t(kForwarderRole);
  t.map(tuple_v4(), 5);
  const Bytes good = too_big(tuple_v4());
  for (std::size_t n = 8; n + 20 < good.size(); ++n) {
    Bytes icmp(good.begin() + 20, good.begin() + 20 + static_cast<long>(n));
    EXPECT_EQ(t.route(test::ip_packet(test::address("10.77.3.3"), tuple_v4().local.address,
                                      kProtocolIcmp, icmp, 2, 1)),
              Route::kDropped)
        << n;
  }
  Bytes foreign = good;  // quotes a packet that another address sent
  foreign[20 + 8 + 15] ^= 1;
  EXPECT_EQ(t.route(foreign), Route::kDropped);
  Bytes udp = good;
  udp[20 + 8 + 9] = kProtocolUdp;
  EXPECT_EQ(t.route(udp), Route::kDropped);
}

TEST(Forwarder, MappingsExpireByDeadline) {
  Fixture t(kForwarderRole);
  EXPECT_EQ(t.forwarder.next_deadline(), kNever);
  t.map(tuple_v4(), 4);
  ASSERT_NE(t.forwarder.next_deadline(), kNever);
  t.forwarder.on_deadline(t.forwarder.next_deadline());
  EXPECT_EQ(t.forwarder.mappings().size(), 0u);
}

// ---- rendezvous hashing ----

TEST(Rendezvous, SpreadsAndMovesOnlyTheFlowsOfANodeThatGoes) {
  const SipKey key{1};
  std::vector<NodeId> all;
  for (std::uint16_t i = 1; i <= 8; ++i)
    all.push_back(NodeId{i});
  std::vector<NodeId> without_last(all.begin(), all.end() - 1);
  std::map<NodeId, int> load;
  for (std::uint16_t port = 0; port < 8000; ++port) {
    FourTuple flow = tuple_v4();
    flow.peer.port = port;
    const std::vector<NodeId> order = rendezvous_order(key, flow, all);
    ASSERT_EQ(std::set<NodeId>(order.begin(), order.end()).size(), all.size());
    ++load[order[0]];
    const NodeId now = rendezvous_order(key, flow, without_last)[0];
    EXPECT_EQ(now, order[0] == NodeId{8} ? order[1] : order[0]);
  }
  for (const auto& [node, flows] : load) {
    EXPECT_GT(flows, 800);
    EXPECT_LT(flows, 1200);
  }
}

}  // namespace
}  // namespace migd
