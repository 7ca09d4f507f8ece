#include "forwarder/mapped_format.h"

#include <gtest/gtest.h>

#include "base/checksum.h"
#include "tests/forwarder/test_nodes.h"

namespace migd {
namespace {

using test::checksums_hold;
using test::make_partial;

struct Case {
  bool ipv6;
  bool partial;
};

class MappedFormat : public ::testing::TestWithParam<Case> {
 protected:
  Frame frame_of(ByteView bytes) {
    Frame frame = pool->copy_of(bytes);
    if (GetParam().partial) frame.offload.checksum = Offload::Checksum::kPartial;
    return frame;
  }
  FourTuple tuple() const { return GetParam().ipv6 ? test::tuple_v6() : test::tuple_v4(); }
  PacketEnds mapped(FlowId flow) const {
    return GetParam().ipv6
               ? mapped_ends(test::address("fd77:9::1"), test::address("fd77:9::2"), flow)
               : mapped_ends(test::address("10.77.9.1"), test::address("10.77.9.2"), flow);
  }
  std::shared_ptr<FramePool> pool = FramePool::create();
};

// What any receiver must find: complete as it is, partial once somebody has completed it.
void expect_sound(Frame& frame) {
  Bytes packet = to_bytes(frame.bytes());
  if (frame.offload.checksum == Offload::Checksum::kPartial) {
    Bytes expected = packet;
    make_partial(expected);
    const IpHeader ip = *parse_ip(packet);
    const std::size_t at = ip.header_size + TcpView::kChecksumOffset;
    // 0 and 0xffff are the same sum.
    EXPECT_EQ(load_u16(&packet[at]) % 0xffff, load_u16(&expected[at]) % 0xffff);
    complete_l4_checksum(ip, packet);
  }
  EXPECT_TRUE(checksums_hold(packet));
}

TEST_P(MappedFormat, ChecksumsHoldOnTheWayAndBytesComeBack) {
  sim::SimRng rng(11);
  for (int i = 0; i < 2000; ++i) {
    FourTuple flow = tuple();
    flow.peer.port = static_cast<std::uint16_t>(rng.next());
    test::TcpFields fields;
    fields.src = flow.peer;
    fields.dst = flow.local;
    fields.seq = static_cast<std::uint32_t>(rng.next());
    fields.ip_id = static_cast<std::uint16_t>(rng.next());
    fields.options.resize(4 * rng.below(11));
    rng.fill(fields.options);
    fields.payload.resize(i % 20 == 0 ? rng.below(60000) : rng.below(300));
    rng.fill(fields.payload);
    Bytes original = test::tcp_packet(fields);
    if (GetParam().partial) make_partial(original);

    Frame frame = frame_of(original);
    const FlowId id{static_cast<std::uint32_t>(rng.next())};
    rewrite_ends(frame, mapped(id), 1);
    expect_sound(frame);
    const IpHeader ip = *parse_ip(frame.bytes());
    const TcpView tcp = *TcpView::parse(frame.bytes().subspan(ip.header_size));
    EXPECT_EQ(flow_of_ports(tcp.src_port(), tcp.dst_port()), id);
    EXPECT_EQ(ip.hop_limit, 63);
    EXPECT_EQ(frame.size(), original.size());

    rewrite_ends(frame, {flow.peer, flow.local}, 0);
    expect_sound(frame);
    Bytes expected = original;  // but for the hop that it took
    Bytes result = to_bytes(frame.bytes());
    const std::size_t ip_size = GetParam().ipv6 ? 40 : 20;
    EXPECT_TRUE(std::equal(result.begin() + static_cast<long>(ip_size) + 18, result.end(),
                           expected.begin() + static_cast<long>(ip_size) + 18));
    if (GetParam().ipv6) {
      expected[7] = 63;
    } else {
      expected[8] = 63;
      store_u16(&expected[10], load_u16(&result[10]));  // verified above
    }
    store_u16(&expected[ip_size + 16], load_u16(&result[ip_size + 16]));
    EXPECT_EQ(result, expected);
  }
}

TEST_P(MappedFormat, OffloadsStay) {
  Bytes packet = test::client_packet(tuple(), 30000);
  Frame frame = frame_of(packet);
  frame.offload.gso = Offload::Gso::kTcp;
  frame.offload.gso_size = 1400;
  const Offload before = frame.offload;
  rewrite_ends(frame, mapped(FlowId{1}), 1);
  EXPECT_EQ(frame.offload, before);
}

INSTANTIATE_TEST_SUITE_P(All, MappedFormat,
                         ::testing::Values(Case{false, false}, Case{false, true}, Case{true, false},
                                           Case{true, true}),
                         [](const auto& test) {
                           return std::string(test.param.ipv6 ? "Ipv6" : "Ipv4") +
                                  (test.param.partial ? "Partial" : "Complete");
                         });

// A checksum that was wrong stays wrong: the difference is what is added, not a new sum.
TEST(MappedFormatDamage, StaysVisible) {
  Bytes packet = test::client_packet(test::tuple_v4(), 100);
  packet.back() ^= 0x10;
  Frame frame = FramePool::create()->copy_of(packet);
  rewrite_ends(frame,
               mapped_ends(test::address("10.77.9.1"), test::address("10.77.9.2"), FlowId{0xabcd}),
               1);
  EXPECT_FALSE(checksums_hold(frame.bytes()));
}

TEST(MappedFormatIpv4, OptionsOfTheIpHeaderStay) {
  // Three no-operations and an end of options behind the fixed header.
  Bytes packet = test::client_packet(test::tuple_v4(), 31);
  const std::uint8_t options[4] = {1, 1, 1, 0};
  packet.insert(packet.begin() + 20, options, options + 4);
  packet[0] = 0x46;
  store_u16(&packet[2], static_cast<std::uint16_t>(packet.size()));
  store_u16(&packet[10], 0);
  store_u16(&packet[10],
            static_cast<std::uint16_t>(~test::reference_sum(ByteView(packet).first(24))));
  ASSERT_TRUE(checksums_hold(packet));
  Frame frame = FramePool::create()->copy_of(packet);
  rewrite_ends(frame,
               mapped_ends(test::address("10.77.9.1"), test::address("10.77.9.2"), FlowId{0xabcd}),
               1);
  EXPECT_TRUE(checksums_hold(frame.bytes()));
  EXPECT_EQ(frame.bytes()[20], 1);
}

}  // namespace
}  // namespace migd
