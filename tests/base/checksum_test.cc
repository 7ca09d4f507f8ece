#include "base/checksum.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/packets.h"

namespace migd {
namespace {

using test::reference_sum;

Bytes random_bytes(std::mt19937& random, std::size_t size) {
  Bytes bytes(size);
  for (auto& byte : bytes)
    byte = static_cast<std::uint8_t>(random());
  return bytes;
}

TEST(Checksum, ExampleOfRfc1071) {
  const Bytes bytes = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  EXPECT_EQ(checksum_fold(checksum_add(0, bytes)), 0xddf2);
  EXPECT_EQ(checksum_finish(checksum_add(0, bytes)), 0x220d);
}

TEST(Checksum, EqualsTheReferenceForAllSizesAndAlignments) {
  std::mt19937 random(1);
  const Bytes bytes = random_bytes(random, 300);
  for (std::size_t offset = 0; offset < 17; ++offset) {
    for (std::size_t size = 0; size + offset <= bytes.size(); ++size) {
      const ByteView view = ByteView(bytes).subspan(offset, size);
      ASSERT_EQ(checksum_fold(checksum_add(0, view)), reference_sum(view)) << offset << " " << size;
    }
  }
}

TEST(Checksum, LargeBuffersOfExtremesDoNotOverflow) {
  for (const std::uint8_t byte : {0x00, 0xff, 0x80}) {
    const Bytes bytes(70'001, byte);
    EXPECT_EQ(checksum_fold(checksum_add(0xffff, bytes)), reference_sum(bytes, 0xffff));
  }
}

TEST(Checksum, SumsOfPartsAddUp) {
  std::mt19937 random(2);
  for (int round = 0; round < 200; ++round) {
    const Bytes bytes = random_bytes(random, 2 + random() % 3000);
    const std::size_t cut = random() % (bytes.size() / 2) * 2;  // even, or the words shift
    const std::uint32_t first = checksum_add(0, ByteView(bytes).first(cut));
    EXPECT_EQ(checksum_fold(checksum_add(first, ByteView(bytes).subspan(cut))),
              reference_sum(bytes));
  }
}

TEST(Checksum, PseudoHeader) {
  const auto check = [](const char* src_text, const char* dst_text, std::size_t size) {
    const IpAddress src = *IpAddress::parse(src_text), dst = *IpAddress::parse(dst_text);
    Bytes pseudo = to_bytes(src.bytes());
    append(pseudo, dst.bytes());
    ByteWriter out(pseudo);
    out.u32(static_cast<std::uint32_t>(size));
    out.u32(6);
    EXPECT_EQ(checksum_fold(pseudo_header_sum(src, dst, 6, size)), reference_sum(pseudo));
  };
  check("10.77.0.1", "10.77.0.2", 20);
  check("255.255.255.255", "255.255.255.255", 65'515);
  check("fd77::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65'535);
  check("fd77::1", "fd77::2", 100'000);  // a train's size may exceed 16 bits
}

// RFC 1624: the updated field is the one that a sum over everything would give.
TEST(Checksum, IncrementalUpdateEqualsANewSum) {
  std::mt19937 random(4);
  for (int round = 0; round < 20'000; ++round) {
    Bytes bytes = random_bytes(random, 20 + random() % 20 * 2);
    if (round % 3 == 0) std::fill(bytes.begin(), bytes.end(), round % 2 == 0 ? 0x00 : 0xff);
    bytes[18] = 1;  // no packet consists of zeros; for that one, RFC 1624 does not hold
    store_u16(&bytes[16], 0);
    store_u16(&bytes[16], checksum_finish(checksum_add(0, bytes)));

    const std::size_t size = 2 + random() % 6 * 2;  // the field at 16 stays out of it
    const std::size_t at = random() % ((16 - size) / 2 + 1) * 2;
    const Bytes before(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                       bytes.begin() + static_cast<std::ptrdiff_t>(at + size));
    Bytes after = random_bytes(random, size);
    if (round % 5 == 0) after = before;
    if (round % 7 == 0) std::fill(after.begin(), after.end(), 0);
    const std::uint16_t updated = checksum_update(load_u16(&bytes[16]), before, after);
    std::copy(after.begin(), after.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    store_u16(&bytes[16], updated);
    ASSERT_EQ(reference_sum(bytes), 0xffff) << "a receiver would drop it";
  }
}

TEST(ChecksumDeathTest, UpdateOfUnequalOrOddSizesIsAProgrammingError) {
  EXPECT_DEATH(checksum_update(0, Bytes(2), Bytes(4)), "check failed");
  EXPECT_DEATH(checksum_update(0, Bytes(3), Bytes(3)), "check failed");
}

}  // namespace
}  // namespace migd
