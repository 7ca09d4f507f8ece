#include "base/packet.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/packets.h"

namespace migd {
namespace {

using test::ramp;

ByteView first(const Bytes& bytes, std::size_t n) {
  return ByteView(bytes).first(n);
}

Bytes with_v4_checksum(Bytes packet) {
  store_u16(&packet[10], 0);
  store_u16(&packet[10],
            static_cast<std::uint16_t>(~test::reference_sum(first(packet, packet[0] % 16 * 4u))));
  return packet;
}

test::TcpFields v6_fields() {
  test::TcpFields f;
  f.src.address = *IpAddress::parse("fd77::1");
  f.dst.address = *IpAddress::parse("fd77::2");
  return f;
}

TEST(ParseIp, ReadsIpv4) {
  Bytes packet = test::tcp_packet({.payload = ramp(10)});
  packet[1] = 0xb9;
  packet[8] = 3;
  packet = with_v4_checksum(packet);
  append(packet, Bytes(6));  // padding of a short Ethernet frame
  const auto ip = parse_ip(packet);
  ASSERT_TRUE(ip);
  EXPECT_EQ(ip->src.to_string(), "10.77.0.1");
  EXPECT_EQ(ip->dst.to_string(), "10.77.0.2");
  EXPECT_EQ(ip->protocol, kProtocolTcp);
  EXPECT_EQ(ip->traffic_class, 0xb9);
  EXPECT_EQ(ip->hop_limit, 3);
  EXPECT_EQ(ip->header_size, 20);
  EXPECT_EQ(ip->total_size, 50u);
  EXPECT_FALSE(ip->is_fragment);
  EXPECT_EQ(ip->family(), Family::kIpv4);
}

TEST(ParseIp, ReadsIpv4Options) {
  Bytes packet = test::tcp_packet({});
  packet.insert(packet.begin() + 20, 8, 1);
  packet[0] = 0x47;
  store_u16(&packet[2], 48);
  const auto ip = parse_ip(with_v4_checksum(packet));
  ASSERT_TRUE(ip);
  EXPECT_EQ(ip->header_size, 28);
}

TEST(ParseIp, ReadsIpv6) {
  Bytes packet = test::tcp_packet(v6_fields());
  packet[0] = 0x6b;
  packet[1] = 0x91;
  const auto ip = parse_ip(packet);
  ASSERT_TRUE(ip);
  EXPECT_EQ(ip->src.to_string(), "fd77::1");
  EXPECT_EQ(ip->dst.to_string(), "fd77::2");
  EXPECT_EQ(ip->traffic_class, 0xb9);
  EXPECT_EQ(ip->hop_limit, 64);
  EXPECT_EQ(ip->header_size, 40);
  EXPECT_EQ(ip->total_size, 60u);
}

TEST(ParseIp, EveryTruncationIsNamed) {
  for (const Bytes& packet :
       {test::tcp_packet({.payload = ramp(5)}), test::tcp_packet(v6_fields())}) {
    for (std::size_t size = 0; size < packet.size(); ++size) {
      const auto ip = parse_ip(first(packet, size));
      ASSERT_FALSE(ip) << size;
      EXPECT_EQ(ip.error(), DropReason::kTruncated) << size;
    }
  }
}

TEST(ParseIp, RefusesBadHeaders) {
  const Bytes good = test::tcp_packet({});
  const auto error = [](Bytes packet) {
    const auto ip = parse_ip(packet);
    EXPECT_FALSE(ip);
    return ip ? DropReason::kFault : ip.error();
  };
  for (const int version : {0, 1, 5, 7, 15}) {
    Bytes packet = good;
    packet[0] = static_cast<std::uint8_t>(version << 4 | 5);
    EXPECT_EQ(error(packet), DropReason::kBadIpHeader);
  }
  Bytes short_header = good;
  short_header[0] = 0x44;
  EXPECT_EQ(error(short_header), DropReason::kBadIpHeader);
  Bytes long_header = good;
  long_header[0] = 0x4f;
  EXPECT_EQ(error(long_header), DropReason::kTruncated);
  Bytes total_below_header = good;
  store_u16(&total_below_header[2], 19);
  EXPECT_EQ(error(with_v4_checksum(total_below_header)), DropReason::kBadIpHeader);
  Bytes damaged = good;
  damaged[8] ^= 1;
  EXPECT_EQ(error(damaged), DropReason::kBadIpHeader);
}

TEST(ParseIp, NamesFragments) {
  for (const int field : {0x2000, 0x0001, 0x2123, 0x1fff}) {
    Bytes packet = test::tcp_packet({});
    store_u16(&packet[6], static_cast<std::uint16_t>(field));
    EXPECT_TRUE(parse_ip(with_v4_checksum(packet))->is_fragment);
  }
  Bytes reserved_bit = test::tcp_packet({});
  store_u16(&reserved_bit[6], 0xc000);
  EXPECT_FALSE(parse_ip(with_v4_checksum(reserved_bit))->is_fragment);
  Bytes v6 = test::tcp_packet(v6_fields());
  v6[6] = 44;
  EXPECT_TRUE(parse_ip(v6)->is_fragment);
}

TEST(WriteIpHeader, ReadsBack) {
  for (const char* family : {"10.77.0.1", "fd77::1"}) {
    IpHeader header;
    header.src = header.dst = *IpAddress::parse(family);
    header.protocol = kProtocolUdp;
    header.traffic_class = 0x2e;
    header.hop_limit = 7;
    Bytes packet(ip_header_size(header.family()) + 100, 0xaa);
    write_ip_header(packet, header, 100, 0x1234);
    const auto ip = parse_ip(packet);
    ASSERT_TRUE(ip);
    EXPECT_EQ(ip->src, header.src);
    EXPECT_EQ(ip->protocol, kProtocolUdp);
    EXPECT_EQ(ip->traffic_class, 0x2e);
    EXPECT_EQ(ip->hop_limit, 7);
    EXPECT_EQ(ip->total_size, packet.size());
    EXPECT_EQ(packet.back(), 0xaa);
    if (header.family() == Family::kIpv4) {
      EXPECT_EQ(load_u16(&packet[4]), 0x1234);
      EXPECT_EQ(load_u16(&packet[6]), 0x4000) << "DF";
    }
  }
}

TEST(TcpView, ReadsAllFields) {
  const Bytes packet = test::tcp_packet({.seq = 0xfffffff0,
                                         .ack = 77,
                                         .flags = tcp_flag::kFin | tcp_flag::kAck,
                                         .window = 1234,
                                         .options = Bytes(8, 1),
                                         .payload = ramp(5)});
  const auto tcp = TcpView::parse(ByteView(packet).subspan(20));
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->src_port(), 40'000);
  EXPECT_EQ(tcp->dst_port(), 80);
  EXPECT_EQ(tcp->seq(), SeqNum(0xfffffff0));
  EXPECT_EQ(tcp->ack(), SeqNum(77));
  EXPECT_TRUE(tcp->has(tcp_flag::kFin));
  EXPECT_FALSE(tcp->has(tcp_flag::kSyn));
  EXPECT_EQ(tcp->window(), 1234);
  EXPECT_EQ(tcp->checksum(), load_u16(&packet[36]));
  EXPECT_EQ(tcp->header_size(), 28u);
  EXPECT_EQ(to_bytes(tcp->options()), Bytes(8, 1));
  EXPECT_EQ(to_bytes(tcp->payload()), ramp(5));
  EXPECT_EQ(tcp->seq_length(), 6u);
}

TEST(TcpView, RefusesEveryTruncationAndBadOffset) {
  const Bytes l4 = to_bytes(ByteView(test::tcp_packet({.options = Bytes(40, 1)})).subspan(20));
  for (std::size_t size = 0; size < 60; ++size) {
    const auto tcp = TcpView::parse(first(l4, size));
    ASSERT_FALSE(tcp) << size;
    EXPECT_EQ(tcp.error(), size < 20 ? DropReason::kTruncated : DropReason::kBadTcpHeader);
  }
  EXPECT_TRUE(TcpView::parse(l4));
  for (std::uint8_t offset = 0; offset < 5; ++offset) {
    Bytes bad = l4;
    bad[12] = static_cast<std::uint8_t>(offset << 4);
    EXPECT_EQ(TcpView::parse(bad).error(), DropReason::kBadTcpHeader);
  }
}

TEST(TcpOptions, ReadsTheOnesOfASyn) {
  const Bytes bytes = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 8, 1, 3, 3, 7};
  const TcpOptions options = TcpOptions::parse(bytes);
  EXPECT_TRUE(options.well_formed);
  EXPECT_EQ(options.mss, 1460);
  EXPECT_TRUE(options.sack_permitted);
  EXPECT_EQ(options.window_scale, 7);
  ASSERT_TRUE(options.timestamps);
  EXPECT_EQ(options.timestamps->value, 9u);
  EXPECT_EQ(options.timestamps->echo, 8u);
  EXPECT_EQ(options.sack_block_count, 0u);
}

TEST(TcpOptions, ReadsSackBlocks) {
  Bytes bytes = {1, 1, 5, 26};
  ByteWriter out(bytes);
  for (std::uint32_t i = 1; i <= 6; ++i)
    out.u32(i * 100);
  const TcpOptions options = TcpOptions::parse(bytes);
  EXPECT_TRUE(options.well_formed);
  ASSERT_EQ(options.sack_block_count, 3u);
  EXPECT_EQ(options.sack_blocks[2].left, SeqNum(500));
  EXPECT_EQ(options.sack_blocks[2].right, SeqNum(600));
}

TEST(TcpOptions, UnknownOnesAreSkippedAndTheEndEnds) {
  const TcpOptions skipped = TcpOptions::parse(Bytes{253, 6, 1, 2, 3, 4, 3, 3, 2, 0, 99, 99});
  EXPECT_TRUE(skipped.well_formed);
  EXPECT_EQ(skipped.window_scale, 2);
  const TcpOptions ended = TcpOptions::parse(Bytes{0, 3, 3, 2});
  EXPECT_TRUE(ended.well_formed);
  EXPECT_FALSE(ended.window_scale);
}

TEST(TcpOptions, WindowScaleIsAtMost14) {
  EXPECT_EQ(TcpOptions::parse(Bytes{3, 3, 200}).window_scale, 14);
}

TEST(TcpOptions, MalformedOnesEndTheParse) {
  for (const Bytes& bad :
       {Bytes{2}, Bytes{2, 4, 5}, Bytes{2, 3, 5}, Bytes{3, 0}, Bytes{3, 1, 7}, Bytes{3, 4, 7, 7},
        Bytes{4, 3, 0}, Bytes{8, 9, 0, 0, 0, 0, 0, 0, 0}, Bytes{5, 2},
        Bytes{5, 9, 0, 0, 0, 0, 0, 0, 0}, Bytes{5, 42}, Bytes{254, 0}, Bytes{254, 1}}) {
    const TcpOptions options = TcpOptions::parse(bad);
    EXPECT_FALSE(options.well_formed);
    EXPECT_FALSE(options.mss);
    EXPECT_FALSE(options.window_scale);
    EXPECT_FALSE(options.timestamps);
    EXPECT_EQ(options.sack_block_count, 0u);
  }
}

TEST(TcpOptions, RandomBytesAreParsedWithoutHarm) {
  std::mt19937 random(5);
  for (int round = 0; round < 20'000; ++round) {
    Bytes bytes(random() % 41);
    for (auto& byte : bytes)
      byte = static_cast<std::uint8_t>(random() % (round % 2 == 0 ? 12 : 256));
    const TcpOptions options = TcpOptions::parse(bytes);
    EXPECT_LE(options.sack_block_count, 4u);
  }
}

TEST(UdpView, ReadsAndTrimsToItsLength) {
  Bytes l4 = to_bytes(ByteView(test::udp_packet({.payload = ramp(9)})).subspan(20));
  append(l4, Bytes(3));
  const auto udp = UdpView::parse(l4);
  ASSERT_TRUE(udp);
  EXPECT_EQ(udp->src_port(), 40'000);
  EXPECT_EQ(udp->dst_port(), 7946);
  EXPECT_EQ(udp->checksum(), load_u16(&l4[6]));
  EXPECT_EQ(to_bytes(udp->payload()), ramp(9));
}

TEST(UdpView, RefusesBadLengths) {
  const Bytes l4 = to_bytes(ByteView(test::udp_packet({.payload = ramp(9)})).subspan(20));
  for (std::size_t size = 0; size < l4.size(); ++size)
    EXPECT_FALSE(UdpView::parse(first(l4, size)));
  Bytes bad = l4;
  store_u16(&bad[4], 7);
  EXPECT_EQ(UdpView::parse(bad).error(), DropReason::kTruncated);
  store_u16(&bad[4], 18);
  EXPECT_EQ(UdpView::parse(bad).error(), DropReason::kTruncated);
}

TEST(IcmpView, ReadsWhatItQuotes) {
  const Bytes l4 = {3, 4, 0, 0, 0, 0, 5, 0xdc, 0x45, 0x00};
  const auto icmp = IcmpView::parse(l4);
  ASSERT_TRUE(icmp);
  EXPECT_EQ(icmp->type, 3);
  EXPECT_EQ(icmp->code, 4);
  EXPECT_EQ(icmp->rest_of_header & 0xffff, 1500u);
  EXPECT_EQ(to_bytes(icmp->quoted), (Bytes{0x45, 0x00}));
  for (std::size_t size = 0; size < 8; ++size)
    EXPECT_FALSE(IcmpView::parse(first(l4, size)));
}

class L4Checksum : public ::testing::Test {
 protected:
  bool ok(const Bytes& packet, Offload::Checksum checksum = Offload::Checksum::kUnknown) {
    Frame frame = pool_->copy_of(packet);
    frame.offload.checksum = checksum;
    return l4_checksum_ok(*parse_ip(packet), frame);
  }
  std::shared_ptr<FramePool> pool_ = FramePool::create();
};

TEST_F(L4Checksum, HoldsForWholePacketsAndForNoDamagedOne) {
  test::UdpFields v6_udp;
  v6_udp.src.address = v6_udp.dst.address = *IpAddress::parse("fd77::3");
  v6_udp.payload = ramp(33);
  for (const Bytes& packet :
       {test::tcp_packet({.payload = ramp(33)}), test::tcp_packet(v6_fields()),
        test::udp_packet({.payload = ramp(32)}), test::udp_packet(v6_udp)}) {
    EXPECT_TRUE(ok(packet));
    const std::size_t header = parse_ip(packet)->header_size;
    for (std::size_t at = header; at < packet.size(); ++at) {
      Bytes damaged = packet;
      damaged[at] ^= 0x10;
      EXPECT_FALSE(ok(damaged)) << at;
      EXPECT_TRUE(ok(damaged, Offload::Checksum::kVerified));
      EXPECT_TRUE(ok(damaged, Offload::Checksum::kPartial));
    }
  }
}

TEST_F(L4Checksum, PaddingDoesNotCount) {
  Bytes packet = test::tcp_packet({.payload = ramp(3)});
  append(packet, Bytes(3, 0xee));
  EXPECT_TRUE(ok(packet));
}

TEST_F(L4Checksum, UdpWithoutOneIsFineInIpv4Only) {
  Bytes v4 = test::udp_packet({.payload = ramp(32)});
  store_u16(&v4[26], 0);
  EXPECT_TRUE(ok(v4));
  test::UdpFields f;
  f.src.address = f.dst.address = *IpAddress::parse("fd77::3");
  Bytes v6 = test::udp_packet(f);
  store_u16(&v6[46], 0);
  EXPECT_FALSE(ok(v6));
}

TEST_F(L4Checksum, Icmp) {
  Bytes l4 = {8, 0, 0, 0, 0, 1, 0, 2, 3};
  store_u16(&l4[2], static_cast<std::uint16_t>(~test::reference_sum(l4)));
  Bytes packet = test::tcp_packet({});
  packet.resize(20);
  append(packet, l4);
  packet[9] = kProtocolIcmp;
  store_u16(&packet[2], static_cast<std::uint16_t>(packet.size()));
  packet = with_v4_checksum(packet);
  EXPECT_TRUE(ok(packet));
  packet.back() ^= 1;
  EXPECT_FALSE(ok(packet));
}

TEST_F(L4Checksum, CompletesPartialOnes) {
  test::UdpFields v6_udp;
  v6_udp.src.address = v6_udp.dst.address = *IpAddress::parse("fd77::3");
  v6_udp.payload = ramp(1001);
  for (const Bytes& packet : {test::tcp_packet({.payload = ramp(1001)}),
                              test::tcp_packet(v6_fields()), test::udp_packet(v6_udp)}) {
    Bytes partial = packet;
    test::make_partial(partial);
    complete_l4_checksum(*parse_ip(partial), partial);
    EXPECT_EQ(partial, packet);
  }
}

TEST(ParseIp, RandomDamageIsParsedWithoutHarm) {
  std::mt19937 random(6);
  const auto pool = FramePool::create();
  for (int round = 0; round < 50'000; ++round) {
    Bytes packet = round % 2 == 0 ? test::tcp_packet({.options = Bytes(12, 1), .payload = ramp(20)})
                                  : test::tcp_packet(v6_fields());
    for (int i = 0; i < 3; ++i)
      packet[random() % packet.size()] = static_cast<std::uint8_t>(random());
    packet.resize(random() % (packet.size() + 1));
    if (packet.size() >= 20 && packet[0] == 0x45) packet = with_v4_checksum(packet);
    const auto ip = parse_ip(packet);
    if (!ip) continue;
    ASSERT_LE(ip->header_size, ip->total_size);
    ASSERT_LE(ip->total_size, packet.size());
    l4_checksum_ok(*ip, pool->copy_of(packet));
    const ByteView l4 = ByteView(packet).subspan(ip->header_size, ip->total_size - ip->header_size);
    if (const auto tcp = TcpView::parse(l4)) TcpOptions::parse(tcp->options());
    if (const auto udp = UdpView::parse(l4)) {
      EXPECT_LE(udp->payload().size(), l4.size());
    }
  }
}

}  // namespace
}  // namespace migd
