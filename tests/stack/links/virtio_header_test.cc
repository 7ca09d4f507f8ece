#include "stack/links/virtio_header.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/support/packets.h"

namespace migd {
namespace {

// The fields, in the order of the kernel's struct.
struct Fields {
  std::uint8_t flags = 0, gso_type = 0;
  std::uint16_t hdr_len = 0, gso_size = 0, csum_start = 0, csum_offset = 0;
  bool operator==(const Fields&) const = default;
};

VirtioHeader bytes_of(const Fields& f) {
  VirtioHeader header{f.flags, f.gso_type};
  std::memcpy(&header[2], &f.hdr_len, 2);
  std::memcpy(&header[4], &f.gso_size, 2);
  std::memcpy(&header[6], &f.csum_start, 2);
  std::memcpy(&header[8], &f.csum_offset, 2);
  return header;
}

Fields fields_of(const VirtioHeader& header) {
  Fields f{header[0], header[1], 0, 0, 0, 0};
  std::memcpy(&f.hdr_len, &header[2], 2);
  std::memcpy(&f.gso_size, &header[4], 2);
  std::memcpy(&f.csum_start, &header[6], 2);
  std::memcpy(&f.csum_offset, &header[8], 2);
  return f;
}

class VirtioHeaderTest : public ::testing::Test {
 protected:
  Frame frame_of(const Bytes& packet, Offload offload = {}) {
    Frame frame = pool_->copy_of(packet);
    frame.offload = offload;
    return frame;
  }
  Offload read(const Fields& fields, const Bytes& packet, std::size_t link_header_size = 0) {
    Frame frame = frame_of(packet);
    const auto done = read_virtio_header(bytes_of(fields), link_header_size, frame);
    EXPECT_TRUE(done);
    return frame.offload;
  }
  bool refuses(const Fields& fields, const Bytes& packet, std::size_t link_header_size = 0) {
    Frame frame = frame_of(packet);
    return !read_virtio_header(bytes_of(fields), link_header_size, frame);
  }
  Fields write(const Bytes& packet, Offload offload, std::size_t link_header_size = 0) {
    Frame frame = frame_of(packet, offload);
    const auto header = write_virtio_header(frame, link_header_size);
    EXPECT_TRUE(header);
    written_ = to_bytes(frame.bytes());
    return fields_of(*header);
  }
  static Bytes tcp(std::size_t payload, const char* family = "10.77.0.1", std::uint8_t flags = 0) {
    test::TcpFields f;
    f.src.address = f.dst.address = *IpAddress::parse(family);
    f.payload = test::ramp(payload);
    f.options = Bytes(12, 1);
    f.flags = static_cast<std::uint8_t>(flags | tcp_flag::kAck);
    return test::tcp_packet(f);
  }
  static Bytes udp(std::size_t payload, const char* family = "10.77.0.1") {
    test::UdpFields f;
    f.src.address = f.dst.address = *IpAddress::parse(family);
    f.payload = test::ramp(payload);
    return test::udp_packet(f);
  }

  std::shared_ptr<FramePool> pool_ = FramePool::create();
  Bytes written_;
};

constexpr auto kPartial = Offload::Checksum::kPartial;
constexpr auto kUnknown = Offload::Checksum::kUnknown;
constexpr auto kVerified = Offload::Checksum::kVerified;

TEST_F(VirtioHeaderTest, ReadsWhatTheKernelSays) {
  using O = Offload;
  EXPECT_EQ(read({}, tcp(100)), (O{O::Gso::kNone, 0, kUnknown}));
  EXPECT_EQ(read({.flags = 2}, tcp(100)), (O{O::Gso::kNone, 0, kVerified}));
  EXPECT_EQ(read({1, 0, 0, 0, 20, 16}, tcp(100)), (O{O::Gso::kNone, 0, kPartial}));
  EXPECT_EQ(read({1, 0, 0, 0, 34, 16}, tcp(100), 14), (O{O::Gso::kNone, 0, kPartial}));
  EXPECT_EQ(read({1, 1, 52, 1448, 20, 16}, tcp(9000)), (O{O::Gso::kTcp, 1448, kPartial}));
  EXPECT_EQ(read({1, 0x81, 52, 1448, 20, 16}, tcp(9000)), (O{O::Gso::kTcp, 1448, kPartial}));
  EXPECT_EQ(read({1, 4, 72, 1428, 40, 16}, tcp(9000, "fd77::1")),
            (O{O::Gso::kTcp, 1428, kPartial}));
  EXPECT_EQ(read({1, 5, 28, 1400, 20, 6}, udp(9000)), (O{O::Gso::kUdp, 1400, kPartial}));
  EXPECT_EQ(read({1, 5, 48, 1400, 40, 6}, udp(9000, "fd77::1")), (O{O::Gso::kUdp, 1400, kPartial}));
}

TEST_F(VirtioHeaderTest, RefusesWhatItHasNoWordFor) {
  EXPECT_TRUE(refuses({1, 3, 28, 1400, 20, 6}, udp(9000))) << "UDP fragmentation offload";
  EXPECT_TRUE(refuses({1, 9, 28, 1400, 20, 6}, udp(9000)));
  EXPECT_TRUE(refuses({1, 1, 52, 0, 20, 16}, tcp(9000))) << "train without a segment size";
  EXPECT_TRUE(refuses({1, 1, 52, 1448, 48, 16}, tcp(9000))) << "train inside of another packet";
  EXPECT_TRUE(refuses({1, 0, 0, 0, 4, 16}, tcp(100), 14)) << "inside the link header";
  EXPECT_TRUE(refuses({1, 0, 0, 0, 2000, 16}, tcp(100)));
  EXPECT_TRUE(refuses({1, 0, 0, 0, 20, 65535}, tcp(100)));
  EXPECT_TRUE(refuses({1, 0, 0, 0, 30, 121}, tcp(100))) << "one byte short";
}

TEST_F(VirtioHeaderTest, ChecksumAtAnotherPlaceIsCompletedAtOnce) {
  // An inner UDP packet whose checksum the kernel left to the device.
  Bytes inner = udp(100);
  const Bytes whole = inner;
  test::make_partial(inner);
  Bytes packet = udp(0);
  append(packet, inner);
  Frame frame = frame_of(packet);
  ASSERT_TRUE(read_virtio_header(bytes_of({1, 0, 0, 0, 28 + 20, 6}), 0, frame));
  EXPECT_EQ(frame.offload.checksum, kVerified);
  EXPECT_EQ(to_bytes(frame.bytes().subspan(28)), whole);
}

TEST_F(VirtioHeaderTest, WritesNothingForWhatIsComplete) {
  for (const auto checksum : {kUnknown, kVerified}) {
    EXPECT_EQ(write(tcp(100), {Offload::Gso::kNone, 0, checksum}), Fields{});
  }
  Bytes garbage = {1, 2, 3};
  EXPECT_EQ(write(garbage, {}), Fields{}) << "nothing to be done, so nothing is looked at";
}

TEST_F(VirtioHeaderTest, WritesPartialChecksums) {
  const Offload partial{Offload::Gso::kNone, 0, kPartial};
  EXPECT_EQ(write(tcp(100), partial), (Fields{1, 0, 52, 0, 20, 16}));
  EXPECT_EQ(write(tcp(100), partial, 14), (Fields{1, 0, 66, 0, 34, 16}));
  EXPECT_EQ(write(udp(100, "fd77::1"), partial), (Fields{1, 0, 48, 0, 40, 6}));
}

TEST_F(VirtioHeaderTest, WritesTrains) {
  const Offload tcp_train{Offload::Gso::kTcp, 1448, kPartial};
  const Offload udp_train{Offload::Gso::kUdp, 1400, kPartial};
  EXPECT_EQ(write(tcp(9000), tcp_train), (Fields{1, 1, 52, 1448, 20, 16}));
  EXPECT_EQ(write(tcp(9000), tcp_train, 14), (Fields{1, 1, 66, 1448, 34, 16}));
  EXPECT_EQ(write(tcp(9000, "fd77::1"), tcp_train), (Fields{1, 4, 72, 1448, 40, 16}));
  EXPECT_EQ(write(tcp(9000, "fd77::1", tcp_flag::kCwr), tcp_train),
            (Fields{1, 0x84, 72, 1448, 40, 16}));
  EXPECT_EQ(write(udp(9000), udp_train), (Fields{1, 5, 28, 1400, 20, 6}));
}

TEST_F(VirtioHeaderTest, TrainOfOneSegmentIsNone) {
  EXPECT_EQ(write(tcp(1448), {Offload::Gso::kTcp, 1448, kPartial}), (Fields{1, 0, 52, 0, 20, 16}));
}

TEST_F(VirtioHeaderTest, CompleteChecksumOfATrainBecomesPartial) {
  Bytes expected = tcp(9000);
  test::make_partial(expected);
  EXPECT_EQ(write(tcp(9000), {Offload::Gso::kTcp, 1448, kVerified}),
            (Fields{1, 1, 52, 1448, 20, 16}));
  EXPECT_EQ(written_, expected);
}

TEST_F(VirtioHeaderTest, RefusesToDescribeWhatIsNotWhole) {
  const Bytes whole = tcp(0);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    Frame frame = frame_of(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)),
                           {Offload::Gso::kNone, 0, kPartial});
    EXPECT_FALSE(write_virtio_header(frame, 0)) << size;
  }
}

TEST_F(VirtioHeaderTest, WhatIsWrittenReadsBack) {
  for (const std::size_t link_header_size : {0u, 14u}) {
    for (const Offload offload : {Offload{Offload::Gso::kTcp, 1000, kPartial},
                                  Offload{Offload::Gso::kNone, 0, kPartial}, Offload{}}) {
      Frame frame = frame_of(tcp(5000, "fd77::1"), offload);
      const auto header = write_virtio_header(frame, link_header_size);
      ASSERT_TRUE(header);
      frame.offload = {};
      ASSERT_TRUE(read_virtio_header(*header, link_header_size, frame));
      EXPECT_EQ(frame.offload, offload);
    }
  }
}

}  // namespace
}  // namespace migd
