// The kernel's side of KnownFlows, run by the kernel on packets of the test.
#include "stack/links/flow_steering.h"

#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "tests/support/packets.h"
#include "tests/support/sim_rng.h"

namespace migd {
namespace {

using test::ramp;
using test::tcp_packet;
using test::TcpFields;
using test::udp_packet;
using Queue = FlowSteering::Queue;

struct FlowSteeringTest : ::testing::Test {
  void SetUp() override {
    auto loaded = FlowSteering::load({rng.u64(), rng.u64() | 1});
    if (!loaded) {
      ASSERT_EQ(loaded.error().code, ErrorCode::kPermission) << loaded.error().text;
      GTEST_SKIP() << loaded.error().text;
    }
    steering = std::move(*loaded);
  }

  KnownFlows& known() { return steering->known(); }

  Queue queue_of(const Bytes& packet) const {
    Bytes frame(12);  // the kernel takes an Ethernet frame, and shows what is in it
    ByteWriter out(frame);
    out.u16(packet[0] >> 4 == 4 ? 0x0800 : 0x86dd);
    out.bytes(packet);
    bpf_attr attributes{};
    attributes.test.prog_fd = static_cast<std::uint32_t>(steering->program());
    attributes.test.data_in = reinterpret_cast<std::uintptr_t>(frame.data());
    attributes.test.data_size_in = static_cast<std::uint32_t>(frame.size());
    EXPECT_EQ(syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attributes, sizeof attributes), 0);
    return static_cast<Queue>(attributes.test.retval);
  }

  sim::SimRng rng{7};
  std::unique_ptr<FlowSteering> steering;
};

FourTuple tuple_of(const TcpFields& fields) {
  return {fields.dst, fields.src};
}

TcpFields v6() {
  return {.src = {*IpAddress::parse("fd77::1"), 40000},
          .dst = {*IpAddress::parse("fd77::2:3:4"), 80}};
}

TEST_F(FlowSteeringTest, KnownFlowsHaveAQueueOfTheirOwn) {
  for (const TcpFields& fields : {TcpFields{}, v6()}) {
    const Bytes packet = tcp_packet(fields);
    EXPECT_EQ(queue_of(packet), Queue::kStrangers);
    known().add(tuple_of(fields));
    EXPECT_EQ(queue_of(packet), Queue::kKnown);
    known().remove(tuple_of(fields));
    EXPECT_EQ(queue_of(packet), Queue::kStrangers);
  }
}

TEST_F(FlowSteeringTest, SaysOfAnyFlowWhatTheTableSays) {
  const auto address = [&](bool ipv6) {
    if (!ipv6) return IpAddress::v4(static_cast<std::uint32_t>(rng.u64()));
    std::array<std::uint8_t, 16> bytes;
    rng.fill(bytes);
    return IpAddress::from_bytes(bytes);
  };
  int of_known = 0;
  for (int i = 0; i < 4000; ++i) {
    const bool ipv6 = i % 2 == 0;
    const std::uint64_t ports = rng.u64();
    const TcpFields fields{.src = {address(ipv6), static_cast<std::uint16_t>(ports)},
                           .dst = {address(ipv6), static_cast<std::uint16_t>(ports >> 16)},
                           .payload = ramp(ports >> 32 & 0x3f)};
    if (i % 3 == 0) known().add(tuple_of(fields));
    const bool is_known = known().knows(tuple_of(fields));
    EXPECT_EQ(queue_of(tcp_packet(fields)), is_known ? Queue::kKnown : Queue::kStrangers);
    of_known += is_known ? 1 : 0;
  }
  EXPECT_GE(of_known, 4000 / 3);
  EXPECT_LT(of_known, 4000 / 3 + 100);
}

TEST_F(FlowSteeringTest, ASynFollowsNoFlow) {
  for (TcpFields fields : {TcpFields{}, v6()}) {
    known().add(tuple_of(fields));
    for (const int flags : {+tcp_flag::kSyn, tcp_flag::kSyn | tcp_flag::kFin | tcp_flag::kPsh}) {
      fields.flags = static_cast<std::uint8_t>(flags);
      EXPECT_EQ(queue_of(tcp_packet(fields)), Queue::kOpening) << flags;
    }
    for (const int flags : {0, +tcp_flag::kRst, tcp_flag::kSyn | tcp_flag::kAck, 0xff}) {
      fields.flags = static_cast<std::uint8_t>(flags);
      EXPECT_EQ(queue_of(tcp_packet(fields)), Queue::kKnown) << flags;
    }
  }
}

TEST_F(FlowSteeringTest, WhatGoesToATunnelAddressIsKnown) {
  for (TcpFields fields : {TcpFields{}, v6()}) {
    fields.flags = tcp_flag::kSyn;
    const Bytes datagram = udp_packet({.src = fields.src, .dst = fields.dst, .payload = ramp(40)});
    EXPECT_EQ(queue_of(tcp_packet(fields)), Queue::kOpening);
    EXPECT_EQ(queue_of(datagram), Queue::kStrangers);
    known().add_destination(fields.dst.address);
    EXPECT_EQ(queue_of(tcp_packet(fields)), Queue::kKnown);
    EXPECT_EQ(queue_of(datagram), Queue::kKnown);
  }
}

// Each would be read elsewhere than where it stands.
TEST_F(FlowSteeringTest, WhatIsNotInTheUsualFormIsAStrangers) {
  const TcpFields fields;
  known().add(tuple_of(fields));
  const Bytes packet = tcp_packet(fields);
  const auto with = [&](std::size_t at, std::uint8_t value) {
    Bytes changed = packet;
    changed[at] = value;
    return changed;
  };
  ASSERT_EQ(queue_of(packet), Queue::kKnown);
  EXPECT_EQ(queue_of(with(0, 0x46)), Queue::kStrangers) << "IP options";
  EXPECT_EQ(queue_of(with(0, 0x75)), Queue::kStrangers) << "IP version";
  EXPECT_EQ(queue_of(with(6, 0x20)), Queue::kStrangers) << "more fragments";
  EXPECT_EQ(queue_of(with(7, 0x01)), Queue::kStrangers) << "a later fragment";
  EXPECT_EQ(queue_of(with(6, 0x40)), Queue::kKnown) << "don't fragment";
  EXPECT_EQ(queue_of(with(9, kProtocolUdp)), Queue::kStrangers) << "protocol";
  EXPECT_EQ(queue_of(Bytes(packet.begin(), packet.begin() + 39)), Queue::kStrangers) << "cut off";

  const TcpFields other = v6();
  known().add(tuple_of(other));
  Bytes cut = tcp_packet(other);
  ASSERT_EQ(queue_of(cut), Queue::kKnown);
  cut.resize(55);
  EXPECT_EQ(queue_of(cut), Queue::kStrangers) << "cut off";
}

}  // namespace
}  // namespace migd
