#include "forwarder/tunnel.h"

#include <gtest/gtest.h>

#include "forwarder/mapped_format.h"
#include "tests/forwarder/test_nodes.h"

namespace migd {
namespace {

using test::checksums_hold;
using test::client_packet;
using test::connection_id;
using test::endpoint;
using test::ramp;
using test::TestTunnel;

constexpr Instant kNow{100s};
constexpr Boot kBoot{0xb001};
constexpr FlowId kFlow{0x12345678};

struct TunnelTest : test::TwoTunnels {
  Tunnel::InnerPacket receive_inner(Frame& frame) {
    const Tunnel::Received received = host.tunnel.receive(frame, kNow);
    EXPECT_TRUE(std::holds_alternative<Tunnel::InnerPacket>(received)) << reason(received);
    const auto* inner = std::get_if<Tunnel::InnerPacket>(&received);
    return inner == nullptr ? Tunnel::InnerPacket{} : *inner;
  }
  static std::string reason(const Tunnel::Received& received) {
    const auto* drop = std::get_if<DropReason>(&received);
    return drop == nullptr ? "not dropped" : std::string(to_string(*drop));
  }
  std::string receive_reason(Frame& frame) { return reason(host.tunnel.receive(frame, kNow)); }
};

// ---- format A ----

TEST_F(TunnelTest, MappedPacketTravelsAndIsRestored) {
  for (const FourTuple& tuple : {test::tuple_v4(), test::tuple_v6()}) {
    const FlowId flow{kFlow.value + (tuple.local.address.is_v4() ? 0 : 1)};
    ASSERT_TRUE(host.tunnel.map_inbound(f.id, kBoot, flow, tuple, connection_id(9)).has_value());
    const Bytes sent = client_packet(tuple, 333);
    ASSERT_TRUE(forwarder.tunnel.send_mapped(forwarder.frame_of(sent), h.id, flow));
    Frame frame = forwarder.take();
    EXPECT_TRUE(checksums_hold(frame.bytes()));
    EXPECT_EQ(frame.size(), sent.size());
    const IpHeader outer = *parse_ip(frame.bytes());
    EXPECT_EQ(outer.src, *f.tunnel(tuple.local.address.family()));
    EXPECT_EQ(outer.dst, *h.tunnel(tuple.local.address.family()));

    const Tunnel::InnerPacket inner = receive_inner(frame);
    EXPECT_EQ(inner.from, f.id);
    EXPECT_EQ(inner.connection, connection_id(9));
    EXPECT_FALSE(inner.gue.has_value());
    EXPECT_TRUE(checksums_hold(frame.bytes()));
    const IpHeader ip = *parse_ip(frame.bytes());
    const TcpView tcp = *TcpView::parse(frame.bytes().subspan(ip.header_size));
    EXPECT_EQ((FourTuple{{ip.dst, tcp.dst_port()}, {ip.src, tcp.src_port()}}), tuple);
    EXPECT_EQ(to_bytes(tcp.payload()), ramp(333));
  }
}

TEST_F(TunnelTest, TrainStaysWhole) {
  host.tunnel.map_inbound(f.id, kBoot, kFlow, test::tuple_v4(), connection_id(9));
  Bytes packet = client_packet(test::tuple_v4(), 60000);
  test::make_partial(packet);
  const Offload offload{Offload::Gso::kTcp, 1400, Offload::Checksum::kPartial};
  ASSERT_TRUE(forwarder.tunnel.send_mapped(forwarder.frame_of(packet, offload), h.id, kFlow));
  ASSERT_EQ(forwarder.output.frames.size(), 1u);
  Frame frame = forwarder.take();
  EXPECT_EQ(frame.offload, offload);
  receive_inner(frame);
  EXPECT_EQ(frame.offload, offload);
  EXPECT_EQ(frame.size(), packet.size());
  Bytes restored = to_bytes(frame.bytes());
  complete_l4_checksum(*parse_ip(restored), restored);
  EXPECT_TRUE(checksums_hold(restored));
}

TEST_F(TunnelTest, MappedPacketsThatCannotGoAreCounted) {
  const Bytes packet = client_packet(test::tuple_v4(), 10);
  EXPECT_FALSE(forwarder.tunnel.send_mapped(forwarder.frame_of(packet), NodeId{77}, kFlow));
  EXPECT_EQ(forwarder.drops.of(DropReason::kNoNode), 1u);

  for (const std::uint8_t ttl : {0, 1}) {
    Bytes dying = packet;
    dying[8] = ttl;
    EXPECT_FALSE(forwarder.tunnel.send_mapped(forwarder.frame_of(dying), h.id, kFlow));
  }
  EXPECT_EQ(forwarder.drops.of(DropReason::kTtlExceeded), 2u);

  const Bytes large = client_packet(test::tuple_v4(), 1461);
  EXPECT_FALSE(forwarder.tunnel.send_mapped(forwarder.frame_of(large), h.id, kFlow));
  EXPECT_FALSE(forwarder.tunnel.send_mapped(
      forwarder.frame_of(client_packet(test::tuple_v4(), 5000), {Offload::Gso::kTcp, 1461}), h.id,
      kFlow));
  EXPECT_EQ(forwarder.drops.of(DropReason::kTooLarge), 2u);
  EXPECT_TRUE(forwarder.output.frames.empty());
}

TEST_F(TunnelTest, FamilyThatOneEndLacksIsNotMapped) {
  NodeInfo v4_only = h;
  v4_only.tunnel_v6.reset();
  TestTunnel sender(f, {v4_only});
  EXPECT_TRUE(sender.tunnel.can_map(h.id, Family::kIpv4));
  EXPECT_FALSE(sender.tunnel.can_map(h.id, Family::kIpv6));
  EXPECT_FALSE(
      sender.tunnel.send_mapped(sender.frame_of(client_packet(test::tuple_v6(), 1)), h.id, kFlow));
  EXPECT_EQ(sender.drops.of(DropReason::kNoNode), 1u);
}

TEST_F(TunnelTest, UnknownFlowIdentifierLeavesTheFrameForLater) {
  forwarder.tunnel.send_mapped(forwarder.frame_of(client_packet(test::tuple_v4(), 10)), h.id,
                               kFlow);
  Frame frame = forwarder.take();
  const Bytes before = to_bytes(frame.bytes());
  EXPECT_EQ(receive_reason(frame), "unknown_flow_id");
  EXPECT_EQ(to_bytes(frame.bytes()), before);
  EXPECT_EQ(host.drops.total(), 0u) << "the caller may hold it";
  host.tunnel.map_inbound(f.id, kBoot, kFlow, test::tuple_v4(), connection_id(9));
  receive_inner(frame);
}

TEST_F(TunnelTest, FlowThatEndedResolvesForStragglers) {
  host.tunnel.map_inbound(f.id, kBoot, kFlow, test::tuple_v4(), connection_id(9));
  host.tunnel.unmap_inbound(connection_id(9));
  forwarder.tunnel.send_mapped(forwarder.frame_of(client_packet(test::tuple_v4(), 10)), h.id,
                               kFlow);
  Frame frame = forwarder.take();
  EXPECT_EQ(receive_inner(frame).connection, connection_id(9));
}

TEST_F(TunnelTest, ForwarderThatStartedAnewIsUnknown) {
  host.tunnel.peer_booted(f.id, kBoot);
  host.tunnel.map_inbound(f.id, kBoot, kFlow, test::tuple_v4(), connection_id(9));
  host.tunnel.peer_booted(f.id, Boot{0xb002});
  forwarder.tunnel.send_mapped(forwarder.frame_of(client_packet(test::tuple_v4(), 10)), h.id,
                               kFlow);
  Frame frame = forwarder.take();
  EXPECT_EQ(receive_reason(frame), "unknown_flow_id");
}

TEST_F(TunnelTest, OnlyConfiguredPeersToOurAddressAreBelieved) {
  host.tunnel.map_inbound(f.id, kBoot, kFlow, test::tuple_v4(), connection_id(9));
  test::TcpFields fields;
  fields.src = {test::address("10.77.9.99"), 0x1234};
  fields.dst = {*h.tunnel_v4, 0x5678};
  Frame stranger = host.frame_of(test::tcp_packet(fields));
  EXPECT_EQ(receive_reason(stranger), "unknown_tunnel_peer");
  fields.src.address = *f.tunnel_v4;
  fields.dst.address = test::address("10.77.9.99");
  Frame misrouted = host.frame_of(test::tcp_packet(fields));
  EXPECT_EQ(receive_reason(misrouted), "not_our_address");
  EXPECT_TRUE(host.tunnel.is_own_address(*h.tunnel_v4));
  EXPECT_TRUE(host.tunnel.is_own_address(*h.tunnel_v6));
  EXPECT_FALSE(host.tunnel.is_own_address(*f.tunnel_v4));
}

// ---- format B ----

GueHeader straggler() {
  GueHeader header;
  header.forwarded = true;
  header.hops = 2;
  header.tenure = {connection_id(9), Epoch{4}};
  return header;
}

TEST_F(TunnelTest, GueCarriesAnyFamilyOverAny) {
  for (const bool outer_v6 : {false, true}) {
    NodeInfo from = f, to = h;
    (outer_v6 ? from.tunnel_v4 : from.tunnel_v6).reset();
    TestTunnel sender(from, {to});
    for (const FourTuple& tuple : {test::tuple_v4(), test::tuple_v6()}) {
      const Bytes sent = client_packet(tuple, 501);
      ASSERT_TRUE(sender.tunnel.send_gue(sender.frame_of(sent), h.id, straggler()));
      Frame frame = sender.take();
      const IpHeader outer = *parse_ip(frame.bytes());
      EXPECT_EQ(outer.family(), outer_v6 ? Family::kIpv6 : Family::kIpv4);
      EXPECT_EQ(outer.protocol, kProtocolUdp);
      const UdpView udp = *UdpView::parse(frame.bytes().subspan(outer.header_size));
      EXPECT_EQ(udp.dst_port(), test::kGuePort);
      EXPECT_GE(udp.src_port(), 49152);
      EXPECT_TRUE(!outer_v6 || checksums_hold(frame.bytes()));
      if (!outer_v6) {
        EXPECT_EQ(udp.checksum(), 0);
        EXPECT_EQ(load_u16(&frame.bytes()[6]), 0x4000) << "DF";
      }
      const Tunnel::InnerPacket inner = receive_inner(frame);
      ASSERT_TRUE(inner.gue.has_value());
      GueHeader expected = straggler();
      expected.inner = tuple.local.address.family();
      EXPECT_EQ(*inner.gue, expected);
      EXPECT_EQ(inner.connection, connection_id(9));
      EXPECT_EQ(to_bytes(frame.bytes()), sent);
    }
  }
}

TEST_F(TunnelTest, GueLeavesPartialChecksumsOfTheOuterPacketOnly) {
  LinkCapabilities link;
  link.checksum_offload = true;
  NodeInfo v6_only = f;
  v6_only.tunnel_v4.reset();
  TestTunnel sender(v6_only, {h}, link);
  Bytes packet = client_packet(test::tuple_v4(), 77);
  const Bytes complete = packet;
  test::make_partial(packet);
  ASSERT_TRUE(sender.tunnel.send_gue(
      sender.frame_of(packet, {.checksum = Offload::Checksum::kPartial}), h.id, straggler()));
  Frame frame = sender.take();
  EXPECT_EQ(frame.offload.checksum, Offload::Checksum::kPartial);
  Frame straight = frame.clone();  // as between two nodes of one machine
  receive_inner(straight);
  EXPECT_EQ(straight.offload, Offload{}) << "the inner checksum is to be verified";
  EXPECT_EQ(to_bytes(straight.bytes()), complete);
  complete_l4_checksum(*parse_ip(frame.bytes()), frame.mutable_bytes());  // the device
  EXPECT_TRUE(checksums_hold(frame.bytes()));
  frame.offload = {};
  receive_inner(frame);
  EXPECT_EQ(to_bytes(frame.bytes()), complete);
}

TEST_F(TunnelTest, GueCutsTrains) {
  Bytes packet = client_packet(test::tuple_v4(), 4000);
  test::make_partial(packet);
  ASSERT_TRUE(forwarder.tunnel.send_gue(
      forwarder.frame_of(packet, {Offload::Gso::kTcp, 1000, Offload::Checksum::kPartial}), h.id,
      straggler()));
  ASSERT_EQ(forwarder.output.frames.size(), 4u);
  Bytes payload;
  std::uint16_t port = 0;
  for (Frame& frame : forwarder.output.frames) {
    const std::uint16_t src_port = load_u16(&frame.bytes()[20]);
    EXPECT_TRUE(port == 0 || port == src_port) << "one flow, one way through the underlay";
    port = src_port;
    receive_inner(frame);
    EXPECT_TRUE(checksums_hold(frame.bytes()));
    EXPECT_EQ(frame.offload, Offload{});
    const IpHeader ip = *parse_ip(frame.bytes());
    append(payload, TcpView::parse(frame.bytes().subspan(ip.header_size))->payload());
  }
  EXPECT_EQ(payload, ramp(4000));
}

TEST_F(TunnelTest, GueLeavesPaddingBehind) {
  const Bytes packet = client_packet(test::tuple_v4(), 2);
  Bytes padded = packet;
  padded.resize(60);
  forwarder.tunnel.send_gue(forwarder.frame_of(padded), h.id, {});
  Frame frame = forwarder.take();
  EXPECT_EQ(frame.size(), 20 + 8 + GueHeader{}.size() + packet.size());
  receive_inner(frame);
  EXPECT_EQ(to_bytes(frame.bytes()), packet);
}

TEST_F(TunnelTest, GueRespectsTheMtuExactly) {
  const std::size_t room = 1500 - 20 - 8 - GueHeader{}.size() - 40;
  EXPECT_TRUE(forwarder.tunnel.send_gue(forwarder.frame_of(client_packet(test::tuple_v4(), room)),
                                        h.id, {}));
  EXPECT_EQ(forwarder.take().size(), 1500u);
  EXPECT_FALSE(forwarder.tunnel.send_gue(
      forwarder.frame_of(client_packet(test::tuple_v4(), room + 1)), h.id, {}));
  EXPECT_EQ(forwarder.drops.of(DropReason::kTooLarge), 1u);
}

TEST_F(TunnelTest, GueEndsLoops) {
  GueHeader header;
  header.hops = limits::kForwardHopsMax + 1;
  EXPECT_FALSE(forwarder.tunnel.send_gue(forwarder.frame_of(client_packet(test::tuple_v4(), 1)),
                                         h.id, header));
  EXPECT_EQ(forwarder.drops.of(DropReason::kEncapsulationLoop), 1u);

  header.hops = limits::kForwardHopsMax;
  ASSERT_TRUE(forwarder.tunnel.send_gue(forwarder.frame_of(client_packet(test::tuple_v4(), 1)),
                                        h.id, header));
  Frame frame = forwarder.take();
  ++frame.mutable_bytes()[20 + 8 + 6];  // the hops; no checksum covers them here
  EXPECT_EQ(receive_reason(frame), "encapsulation_loop");
}

TEST_F(TunnelTest, EveryTruncationOfAGuePacketIsRefused) {
  GueHeader header = straggler();
  header.reference = GueReference{test::tuple_v6(), SeqNum(1), SeqNum(2)};
  header.tag.emplace();
  forwarder.tunnel.send_gue(forwarder.frame_of(client_packet(test::tuple_v4(), 9)), h.id, header);
  const Bytes whole = to_bytes(forwarder.take().bytes());
  for (std::size_t n = 0; n < whole.size(); ++n) {
    // Cut on the way, and cut by a sender whose lengths agree.
    Bytes cut(whole.begin(), whole.begin() + static_cast<long>(n));
    Frame short_frame = host.frame_of(cut);
    EXPECT_TRUE(std::holds_alternative<DropReason>(host.tunnel.receive(short_frame, kNow))) << n;
    if (n < 28) continue;
    store_u16(&cut[2], static_cast<std::uint16_t>(n));
    store_u16(&cut[24], static_cast<std::uint16_t>(n - 20));
    store_u16(&cut[10], 0);
    store_u16(&cut[10], static_cast<std::uint16_t>(~test::reference_sum(ByteView(cut).first(20))));
    Frame lying = host.frame_of(cut);
    EXPECT_EQ(receive_reason(lying), "bad_encapsulation") << n;
  }
}

TEST_F(TunnelTest, PacketToATunnelAddressIsNoInnerPacket) {
  FourTuple nested = test::tuple_v4();
  nested.local.address = *h.tunnel_v4;
  forwarder.tunnel.send_gue(forwarder.frame_of(client_packet(nested, 9)), h.id, {});
  Frame frame = forwarder.take();
  EXPECT_EQ(receive_reason(frame), "bad_encapsulation");
}

TEST_F(TunnelTest, DamagedOuterChecksumIsRefused) {
  NodeInfo v6_only = f;
  v6_only.tunnel_v4.reset();
  TestTunnel sender(v6_only, {h});
  sender.tunnel.send_gue(sender.frame_of(client_packet(test::tuple_v4(), 9)), h.id, {});
  Frame frame = sender.take();
  frame.offload = {};
  frame.mutable_bytes().back() ^= 1;
  EXPECT_EQ(receive_reason(frame), "bad_checksum");
}

// ---- the channel's datagrams ----

struct Datagrams : TunnelTest {
  std::vector<Bytes> received;
  Endpoint from;
  void receive(Frame& frame) {
    const Tunnel::Received r = host.tunnel.receive(frame, kNow);
    const auto* datagram = std::get_if<Tunnel::ChannelDatagram>(&r);
    ASSERT_NE(datagram, nullptr) << reason(r);
    from = datagram->from;
    datagram->for_each([&](ByteView payload) { received.push_back(to_bytes(payload)); });
  }
  std::vector<Bytes> pieces(const Bytes& all, std::size_t size) {
    std::vector<Bytes> list;
    for (std::size_t at = 0; at < all.size(); at += size)
      list.emplace_back(all.begin() + static_cast<long>(at),
                        all.begin() + static_cast<long>(std::min(at + size, all.size())));
    return list;
  }
};

TEST_F(Datagrams, SingleFramesWithoutOffload) {
  forwarder.tunnel.send({*h.tunnel_v4, test::kChannelPort}, ramp(3100), 1000);
  ASSERT_EQ(forwarder.output.frames.size(), 4u);
  for (Frame& frame : forwarder.output.frames) {
    EXPECT_TRUE(checksums_hold(frame.bytes()));
    frame.offload = {};  // as from a wire
    receive(frame);
  }
  EXPECT_EQ(received, pieces(ramp(3100), 1000));
  EXPECT_EQ(from, (Endpoint{*f.tunnel_v4, test::kChannelPort}));
}

TEST_F(Datagrams, OneTrainWithOffload) {
  LinkCapabilities link{.checksum_offload = true, .udp_gso = true};
  TestTunnel sender(f, {h}, link);
  sender.tunnel.send({*h.tunnel_v6, test::kChannelPort}, ramp(3100), 1000);
  ASSERT_EQ(sender.output.frames.size(), 1u);
  Frame frame = sender.take();
  EXPECT_EQ(frame.offload, (Offload{Offload::Gso::kUdp, 1000, Offload::Checksum::kPartial}));
  Bytes expected = to_bytes(frame.bytes());
  test::make_partial(expected);
  EXPECT_EQ(to_bytes(frame.bytes()), expected);
  receive(frame);
  EXPECT_EQ(received, pieces(ramp(3100), 1000));
}

TEST_F(Datagrams, TrainsAreNoLongerThanAKernelCuts) {
  LinkCapabilities link{.checksum_offload = true, .udp_gso = true};
  TestTunnel sender(f, {h}, link);
  sender.tunnel.send({*h.tunnel_v4, test::kChannelPort}, ramp(64000), 100);
  EXPECT_EQ(sender.output.frames.size(), 10u) << "of at most 64 each";
  for (Frame& frame : sender.output.frames)
    receive(frame);
  EXPECT_EQ(received, pieces(ramp(64000), 100));
  sender.output.frames.clear();
  received.clear();
  sender.tunnel.send({*h.tunnel_v4, test::kChannelPort}, ramp(140000), 1400);
  for (Frame& frame : sender.output.frames) {
    EXPECT_LE(frame.size(), 65535u);
    receive(frame);
  }
  EXPECT_EQ(received, pieces(ramp(140000), 1400));
}

TEST_F(Datagrams, SingleDatagramIsNoTrain) {
  LinkCapabilities link{.checksum_offload = true, .udp_gso = true};
  TestTunnel sender(f, {h}, link);
  sender.tunnel.send({*h.tunnel_v4, test::kChannelPort}, ramp(1000), 1000);
  Frame frame = sender.take();
  EXPECT_EQ(frame.offload.gso, Offload::Gso::kNone);
  receive(frame);
  EXPECT_EQ(received, pieces(ramp(1000), 1000));
}

TEST_F(Datagrams, EmptyDatagramIsOne) {
  forwarder.tunnel.send({*h.tunnel_v4, test::kChannelPort}, {}, 1000);
  Frame frame = forwarder.take();
  receive(frame);
  EXPECT_EQ(received, std::vector<Bytes>{{}});
}

TEST_F(Datagrams, WhatCannotGoIsCounted) {
  forwarder.tunnel.send(endpoint("10.77.9.99:7946"), ramp(10), 10);
  EXPECT_EQ(forwarder.drops.of(DropReason::kNoNode), 1u);
  forwarder.tunnel.send({*h.tunnel_v4, test::kChannelPort}, ramp(1473), 1473);
  EXPECT_EQ(forwarder.drops.of(DropReason::kTooLarge), 1u);
  EXPECT_TRUE(forwarder.output.frames.empty());
}

TEST_F(Datagrams, OtherPortsAndProtocolsAreRefused) {
  test::UdpFields fields;
  fields.src = {*f.tunnel_v4, 53};
  fields.dst = {*h.tunnel_v4, 53};
  Frame frame = host.frame_of(test::udp_packet(fields));
  EXPECT_EQ(receive_reason(frame), "unsupported_protocol");
  Bytes icmp = test::ip_packet(*f.tunnel_v4, *h.tunnel_v4, kProtocolIcmp, Bytes(16), 2, 1);
  Frame echo = host.frame_of(icmp);
  EXPECT_EQ(receive_reason(echo), "unsupported_protocol");
}

TEST_F(TunnelTest, RandomPacketsFromAPeerNeverCrash) {
  sim::SimRng rng(4);
  host.tunnel.map_inbound(f.id, kBoot, kFlow, test::tuple_v4(), connection_id(9));
  for (int i = 0; i < 30000; ++i) {
    Bytes l4(rng.below(200));
    rng.fill(l4);
    if (l4.size() >= 8 && rng.chance(0.7)) {
      store_u16(&l4[2], rng.chance(0.5) ? test::kGuePort : test::kChannelPort);
      store_u16(&l4[4], static_cast<std::uint16_t>(l4.size()));
      store_u16(&l4[6], 0);
    }
    IpHeader ip;
    ip.src = *f.tunnel_v4;
    ip.dst = *h.tunnel_v4;
    ip.protocol = rng.chance(0.8) ? kProtocolUdp : kProtocolTcp;
    ip.hop_limit = 9;
    Bytes packet(20 + l4.size());
    std::copy(l4.begin(), l4.end(), packet.begin() + 20);
    write_ip_header(packet, ip, l4.size(), 1);
    Frame frame = host.frame_of(packet);
    host.tunnel.receive(frame, kNow);
  }
}

}  // namespace
}  // namespace migd
