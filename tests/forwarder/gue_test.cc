#include "forwarder/gue.h"

#include <gtest/gtest.h>

#include "tests/forwarder/test_nodes.h"

namespace migd {
namespace {

GueHeader plain() {
  GueHeader header;
  header.hops = 3;
  header.tenure = {test::connection_id(0x0123456789abcdef, 0x1234, 0xaabbccddeeff), Epoch{7}};
  header.flow = FlowId{0xdeadbeef};
  header.next_hop = NodeId{9};
  return header;
}

GueHeader full(const FourTuple& tuple) {
  GueHeader header = plain();
  header.forwarded = true;
  header.reference = GueReference{tuple, SeqNum(0xfffffff0), SeqNum(17)};
  header.tag = GueHeader::Tag{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  return header;
}

std::vector<GueHeader> samples() {
  std::vector<GueHeader> all{{}, plain(), full(test::tuple_v4()), full(test::tuple_v6())};
  for (const Family inner : {Family::kIpv6}) {
    GueHeader header = full(test::tuple_v4());
    header.inner = inner;
    header.tag.reset();
    all.push_back(header);
  }
  return all;
}

Bytes serialized(const GueHeader& header) {
  Bytes bytes;
  header.serialize(bytes);
  return bytes;
}

TEST(GueHeader, RoundTrip) {
  for (const GueHeader& header : samples()) {
    const Bytes bytes = serialized(header);
    EXPECT_EQ(bytes.size(), header.size());
    EXPECT_LE(bytes.size(), limits::kGueHeaderMax);
    const auto parsed = GueHeader::parse(bytes);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(*parsed, header);
  }
}

TEST(GueHeader, SizesOfTheVariants) {
  EXPECT_EQ(GueHeader{}.size(), 36u);
  EXPECT_EQ(full(test::tuple_v4()).size(), 36u + 20 + 16);
  EXPECT_EQ(full(test::tuple_v6()).size(), limits::kGueHeaderMax);
}

TEST(GueHeader, EveryTruncationIsRefused) {
  for (const GueHeader& header : samples()) {
    const Bytes bytes = serialized(header);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      const auto parsed = GueHeader::parse(ByteView(bytes).first(n));
      ASSERT_FALSE(parsed.has_value()) << n;
      EXPECT_EQ(parsed.error(), DropReason::kBadEncapsulation);
    }
  }
}

// Whatever single bit is flipped, the header is refused or still makes sense as another one.
TEST(GueHeader, EveryBitFlipIsRefusedOrConsistent) {
  for (const GueHeader& header : samples()) {
    const Bytes bytes = serialized(header);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      Bytes damaged = bytes;
      damaged[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
      const auto parsed = GueHeader::parse(damaged);
      if (!parsed) continue;
      EXPECT_EQ(parsed->size(), bytes.size()) << bit;
      const bool reserved_byte = bit / 8 == 7 || bit / 8 == 18 || bit / 8 == 19;
      EXPECT_EQ(*parsed == header, reserved_byte) << bit;
    }
  }
}

struct BadByte {
  const char* what;
  std::size_t at;
  std::uint8_t value;
};

TEST(GueHeader, RefusesWhatItDoesNotKnow) {
  constexpr BadByte kBad[] = {
      {"variant 1", 0, 0x48},
      {"control message", 0, 0x28},
      {"Hlen too short", 0, 0x07},
      {"Hlen too long", 0, 0x09},
      {"protocol TCP", 1, 6},
      {"GUE flag", 2, 0x80},
      {"GUE flag", 3, 0x01},
      {"version 0", 4, 0},
      {"version 2", 4, 2},
      {"unknown flag", 5, 0x01},
      {"unknown flag", 5, 0x08},
      {"reference of no size", 5, 0x40},
      {"IPv6 without reference", 5, 0x20},
  };
  const Bytes good = serialized(plain());
  for (const BadByte& bad : kBad) {
    Bytes bytes = good;
    ASSERT_NE(bytes[bad.at], bad.value);
    bytes[bad.at] = bad.value;
    EXPECT_FALSE(GueHeader::parse(bytes).has_value()) << bad.what;
  }
}

TEST(GueHeader, RandomBytesNeverCrash) {
  sim::SimRng rng(3);
  for (int i = 0; i < 100000; ++i) {
    Bytes bytes(rng.below(120));
    rng.fill(bytes);
    if (bytes.size() > 5 && rng.chance(0.9)) {  // near enough to be looked at
      bytes[0] &= 0x1f;
      bytes[1] = 4;
      bytes[2] = bytes[3] = 0;
      bytes[4] = 1;
      bytes[5] &= 0xf0;
    }
    const auto parsed = GueHeader::parse(bytes);
    EXPECT_LE(parsed ? parsed->size() : 0, bytes.size());
  }
}

}  // namespace
}  // namespace migd
