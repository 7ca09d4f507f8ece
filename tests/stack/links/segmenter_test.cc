#include "stack/links/segmenter.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/packets.h"

namespace migd {
namespace {

using test::ramp;

class Segmenter : public ::testing::Test {
 protected:
  Frame frame_of(const Bytes& packet, Offload offload) {
    Frame frame = pool_->copy_of(packet);
    frame.offload = offload;
    return frame;
  }
  std::vector<Frame> cut(Frame frame) {
    std::vector<Frame> out;
    const auto done =
        segment(std::move(frame), *pool_, [&](Frame f) { out.push_back(std::move(f)); });
    EXPECT_TRUE(done);
    return out;
  }
  tl::expected<void, DropReason> refused(const Bytes& packet, Offload offload) {
    return segment(frame_of(packet, offload), *pool_,
                   [](Frame) { FAIL() << "came out of a refused frame"; });
  }
  static Offload tcp_train(std::uint16_t gso_size) {
    return {Offload::Gso::kTcp, gso_size, Offload::Checksum::kPartial};
  }
  static Offload udp_train(std::uint16_t gso_size) {
    return {Offload::Gso::kUdp, gso_size, Offload::Checksum::kPartial};
  }

  std::shared_ptr<FramePool> pool_ = FramePool::create();
};

TEST_F(Segmenter, TcpTrainsOfAllKindsComeOutAsTheSameStream) {
  std::mt19937 random(7);
  const auto up_to = [&](std::uint32_t n) { return random() % (n + 1); };
  for (int round = 0; round < 300; ++round) {
    test::TcpFields f;
    if (round % 2 == 1) {
      f.src.address = *IpAddress::parse("fd77::1");
      f.dst.address = *IpAddress::parse("fd77::2");
    }
    f.seq = round % 5 == 0 ? 0xffffff00u + up_to(255) : static_cast<std::uint32_t>(random());
    f.flags = static_cast<std::uint8_t>(
        tcp_flag::kAck |
        (random() & (tcp_flag::kFin | tcp_flag::kPsh | tcp_flag::kCwr | tcp_flag::kEce)));
    f.ip_id = static_cast<std::uint16_t>(random());
    f.options = Bytes(up_to(10) * 4, 1);
    f.payload = ramp(1 + up_to(round % 3 == 0 ? 65000 : 6000), random() % 251);
    const auto gso_size = static_cast<std::uint16_t>(200 + up_to(1300));
    Bytes train = test::tcp_packet(f);
    test::make_partial(train);

    const std::vector<Frame> segments = cut(frame_of(train, tcp_train(gso_size)));
    ASSERT_EQ(segments.size(), (f.payload.size() + gso_size - 1) / gso_size);
    Bytes stream;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const bool first = i == 0, last = i + 1 == segments.size();
      const ByteView packet = segments[i].bytes();
      ASSERT_TRUE(test::checksums_hold(packet));
      const IpHeader ip = *parse_ip(packet);
      EXPECT_EQ(ip.total_size, packet.size());
      EXPECT_EQ(ip.src, f.src.address);
      EXPECT_EQ(ip.dst, f.dst.address);
      if (ip.family() == Family::kIpv4) {
        EXPECT_EQ(load_u16(&packet[4]), static_cast<std::uint16_t>(f.ip_id + i));
      }
      const TcpView tcp = *TcpView::parse(packet.subspan(ip.header_size));
      EXPECT_EQ(tcp.seq(), SeqNum(f.seq) + static_cast<std::uint32_t>(stream.size()));
      EXPECT_EQ(tcp.ack(), SeqNum(f.ack));
      EXPECT_EQ(tcp.window(), f.window);
      EXPECT_EQ(to_bytes(tcp.options()), f.options);
      EXPECT_EQ(tcp.has(tcp_flag::kFin), last && (f.flags & tcp_flag::kFin) != 0);
      EXPECT_EQ(tcp.has(tcp_flag::kPsh), last && (f.flags & tcp_flag::kPsh) != 0);
      EXPECT_EQ(tcp.has(tcp_flag::kCwr), first && (f.flags & tcp_flag::kCwr) != 0);
      EXPECT_EQ(tcp.has(tcp_flag::kEce), (f.flags & tcp_flag::kEce) != 0);
      EXPECT_EQ(tcp.payload().size(), last ? f.payload.size() - stream.size() : gso_size);
      EXPECT_EQ(segments[i].offload,
                (Offload{Offload::Gso::kNone, 0, Offload::Checksum::kVerified}));
      append(stream, tcp.payload());
    }
    ASSERT_EQ(stream, f.payload);
  }
}

TEST_F(Segmenter, UdpTrainsComeOutAsTheSameDatagrams) {
  for (const char* const family : {"10.77.0.1", "fd77::1"}) {
    for (const std::size_t size : {1u, 999u, 1000u, 1001u, 5000u, 60'001u}) {
      test::UdpFields f;
      f.src.address = f.dst.address = *IpAddress::parse(family);
      f.payload = ramp(size);
      Bytes train = test::udp_packet(f);
      test::make_partial(train);
      Bytes payload;
      const std::vector<Frame> segments = cut(frame_of(train, udp_train(1000)));
      ASSERT_EQ(segments.size(), (size + 999) / 1000);
      for (const Frame& frame : segments) {
        ASSERT_TRUE(test::checksums_hold(frame.bytes()));
        const IpHeader ip = *parse_ip(frame.bytes());
        const UdpView udp = *UdpView::parse(frame.bytes().subspan(ip.header_size));
        EXPECT_EQ(udp.src_port(), f.src.port);
        EXPECT_EQ(udp.dst_port(), f.dst.port);
        EXPECT_EQ(ip.total_size, ip.header_size + 8u + udp.payload().size());
        append(payload, udp.payload());
      }
      EXPECT_EQ(payload, f.payload);
    }
  }
}

TEST_F(Segmenter, WhatIsNoTrainComesOutAlone) {
  test::TcpFields f;
  f.flags = tcp_flag::kSyn;
  const Bytes whole = test::tcp_packet(f);
  Bytes partial = whole;
  test::make_partial(partial);
  ASSERT_NE(partial, whole);
  const auto out = cut(frame_of(partial, {Offload::Gso::kNone, 0, Offload::Checksum::kPartial}));
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(to_bytes(out[0].bytes()), whole);
  EXPECT_EQ(out[0].offload.checksum, Offload::Checksum::kVerified);

  // Nothing asked for, nothing done, even where it is not TCP.
  const Bytes other = {0x45, 1, 2, 3};
  const auto same = cut(frame_of(other, {}));
  ASSERT_EQ(same.size(), 1u);
  EXPECT_EQ(to_bytes(same[0].bytes()), other);
  EXPECT_EQ(same[0].offload, Offload{});
}

TEST_F(Segmenter, UdpChecksumThatComesOutAsZeroIsWrittenAsOnes) {
  test::UdpFields f;
  f.payload = {0, 0};
  // The field that makes everything else sum to 0xffff, so that the complement is zero.
  const IpHeader ip = *parse_ip(test::udp_packet(f));
  const std::uint16_t field = load_u16(&test::udp_packet(f)[ip.header_size + 6u]);
  store_u16(f.payload.data(), field);
  Bytes packet = test::udp_packet(f);
  ASSERT_EQ(load_u16(&packet[26]), 0xffff);
  test::make_partial(packet);
  const auto out = cut(frame_of(packet, {Offload::Gso::kNone, 0, Offload::Checksum::kPartial}));
  EXPECT_EQ(load_u16(&out[0].bytes()[26]), 0xffff);
}

TEST_F(Segmenter, RefusesWhatItCannotCut) {
  test::TcpFields f;
  f.payload = ramp(3000);
  const Bytes good = test::tcp_packet(f);
  for (std::size_t size = 0; size < 60; ++size) {
    EXPECT_FALSE(refused(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)),
                         tcp_train(1000)));
  }
  f.flags = tcp_flag::kSyn | tcp_flag::kAck;
  EXPECT_EQ(refused(test::tcp_packet(f), tcp_train(1000)).error(), DropReason::kBadTcpHeader);
  f.flags = tcp_flag::kRst;
  EXPECT_EQ(refused(test::tcp_packet(f), tcp_train(1000)).error(), DropReason::kBadTcpHeader);
  Bytes icmp = good;
  icmp[9] = kProtocolIcmp;
  store_u16(&icmp[10], 0);
  store_u16(&icmp[10], static_cast<std::uint16_t>(~test::reference_sum(ByteView(icmp).first(20))));
  EXPECT_EQ(refused(icmp, tcp_train(1000)).error(), DropReason::kUnsupportedProtocol);
  Bytes fragment = good;
  fragment[6] = 0x20;
  store_u16(&fragment[10], 0);
  store_u16(&fragment[10],
            static_cast<std::uint16_t>(~test::reference_sum(ByteView(fragment).first(20))));
  EXPECT_EQ(refused(fragment, tcp_train(1000)).error(), DropReason::kIpFragment);
}

TEST_F(Segmenter, ConformCutsOnlyWhatTheDeviceDoesNotTake) {
  test::TcpFields tcp;
  tcp.payload = ramp(3000);
  test::UdpFields udp;
  udp.payload = ramp(3000);
  const Offload partial{Offload::Gso::kNone, 0, Offload::Checksum::kPartial};
  const auto count = [&](const Bytes& packet, Offload offload, LinkCapabilities device) {
    std::size_t n = 0;
    bool untouched = false;
    EXPECT_TRUE(conform(frame_of(packet, offload), device, *pool_, [&](Frame f) {
      ++n;
      untouched = f.offload == offload;
    }));
    return std::pair(n, untouched);
  };
  const LinkCapabilities nothing, all{1500, true, true, true}, tcp_only{1500, true, true, false};
  const Bytes tcp_bytes = test::tcp_packet(tcp), udp_bytes = test::udp_packet(udp);
  using Outcome = std::pair<std::size_t, bool>;
  EXPECT_EQ(count(tcp_bytes, tcp_train(1000), all), Outcome(1, true));
  EXPECT_EQ(count(udp_bytes, udp_train(1000), all), Outcome(1, true));
  EXPECT_EQ(count(tcp_bytes, partial, all), Outcome(1, true));
  EXPECT_EQ(count(udp_bytes, udp_train(1000), tcp_only), Outcome(3, false));
  EXPECT_EQ(count(tcp_bytes, tcp_train(1000), tcp_only), Outcome(1, true));
  EXPECT_EQ(count(tcp_bytes, tcp_train(1000), nothing), Outcome(3, false));
  EXPECT_EQ(count(tcp_bytes, partial, nothing), Outcome(1, false));
  EXPECT_EQ(count(tcp_bytes, {}, nothing), Outcome(1, true));
}

}  // namespace
}  // namespace migd
