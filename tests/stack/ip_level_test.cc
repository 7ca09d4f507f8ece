// What of IP matters to TCP (RFC 9293 3.9.2), and urgent data.
#include "tests/stack/test_bed.h"

namespace migd::test {
namespace {

void set_ip_checksum(Bytes& packet) {
  const std::size_t size = std::size_t{packet[0] & 0x0fu} * 4;
  store_u16(&packet[10], 0);
  store_u16(&packet[10], static_cast<std::uint16_t>(~reference_sum(ByteView(packet).first(size))));
}

// With a route that it has recorded (RFC 791: kind 7), padded.
Bytes with_ip_options(Bytes packet) {
  const Bytes options{7, 7, 8, 10, 77, 3, 3, 0};
  packet.insert(packet.begin() + 20, options.begin(), options.end());
  packet[0] = 0x47;
  store_u16(&packet[2], static_cast<std::uint16_t>(packet.size()));
  set_ip_checksum(packet);
  return packet;
}

class IpLevelTest : public MovingTest {};

TEST_P(IpLevelTest, HopLimitAndTrafficClass) {  // MUST-49
  bed().give(bed().peer.syn());
  bed().give(bed().peer.ack());
  bed().find()->bind("app", &bed().app);
  bed().write(ramp(100));
  for (const SeenSegment& segment : bed().take()) {
    EXPECT_EQ(segment.ip.hop_limit, 64);
    EXPECT_EQ(segment.ip.traffic_class, 0);
  }
}

TEST_P(IpLevelTest, TheTrafficClassOfThePeerIsNotOurs) {
  bed().connect();
  Bytes packet = bed().peer.data(ramp(100));
  if (v6()) {
    packet[0] = 0x6b;
    packet[1] = 0x80;
  } else {
    packet[1] = 0xb8;
    set_ip_checksum(packet);
  }
  bed().give(packet);
  EXPECT_EQ(bed().app.received.size(), 100u);
}

TEST_P(IpLevelTest, PaddingBehindThePacketIsCutOff) {
  bed().connect();
  Bytes packet = bed().peer.data(ramp(3));
  packet.resize(packet.size() + 11, 0xee);
  bed().give(packet);
  EXPECT_EQ(bed().app.received, ramp(3));
}

// RFC 6093, RFC 9293 MUST-30: urgent data is data, in its place; nobody is told of the pointer.
TEST_P(IpLevelTest, UrgentDataIsDataInItsPlace) {
  bed().connect();
  const std::size_t tcp = v6() ? 40 : 20;
  Bytes data = ramp(300);
  for (std::size_t at = 0; at < data.size(); at += 100) {
    Bytes packet = bed().peer.segment(tcp_flag::kAck | tcp_flag::kPsh | tcp_flag::kUrg,
                                      ByteView(data).subspan(at, 100), {});
    store_u16(&packet[tcp + 18], at == 0 ? 1 : 0xffff);  // within, and far behind it
    store_u16(&packet[tcp + 16], 0);
    const auto ip = parse_ip(packet);
    complete_l4_checksum(*ip, packet);
    bed().give(packet);
  }
  EXPECT_EQ(bed().app.received, data);
}

TEST_P(IpLevelTest, NothingIsUrgentToUs) {
  bed().connect();
  bed().write(ramp(5000));
  for (const SeenSegment& segment : bed().take())
    EXPECT_FALSE(segment.has(tcp_flag::kUrg));
}

MIGD_MOVING_SUITE(IpLevelTest);

TEST(IpOptionsTest, AreIgnored) {  // MUST-50
  TestBed bed;
  bed.give(with_ip_options(bed.peer.syn()));
  bed.give(with_ip_options(bed.peer.ack()));
  ASSERT_EQ(bed.a.established.size(), 1u);
  bed.a.established[0]->bind("app", &bed.app);
  bed.give(with_ip_options(bed.peer.data(ramp(500))));
  EXPECT_EQ(bed.app.received, ramp(500));
  EXPECT_EQ(bed.stack().drops().total(), 0u);
  for (const SeenSegment& segment : bed.take())
    EXPECT_EQ(segment.ip.header_size, 20u) << "none is sent";
}

TEST(FragmentTest, IsDroppedByName) {
  TestBed bed;
  bed.connect();
  for (const std::uint16_t field : {0x2000, 0x0001, 0x2001}) {  // more fragments, or an offset
    Bytes packet = bed.peer.data(ramp(100), {.seq = bed.peer.send_next});
    store_u16(&packet[6], field);
    set_ip_checksum(packet);
    bed.give(packet);
  }
  EXPECT_EQ(bed.stack().drops().of(DropReason::kIpFragment), 3u);
  EXPECT_TRUE(bed.app.received.empty());
  EXPECT_TRUE(bed.take().empty());
}

// RFC 9293 MUST-57: what is sent to many is answered by nobody.
TEST(ToManyTest, ASynIsNotAnswered) {
  TestBed bed;
  for (const char* to : {"255.255.255.255", "224.0.0.1", "10.77.255.255"}) {
    PeerOptions options;
    options.remote.address = *IpAddress::parse(to);
    Frame frame = bed.a.pool->copy_of(Peer(options).syn());
    EXPECT_EQ(bed.stack().input(frame, bed.now), Stack::InputVerdict::kNoConnection);
  }
  bed.deliver();
  EXPECT_TRUE(bed.take().empty());
}

}  // namespace
}  // namespace migd::test
