#include "base/checksum.h"

#include <bit>
#include <cstring>

#include "base/check.h"

namespace migd {
namespace {

static_assert(std::endian::native == std::endian::little, "the word loop below assumes it");

std::uint16_t fold64(std::uint64_t sum) {
  sum = (sum & 0xffffffffu) + (sum >> 32);
  sum = (sum & 0xffffffffu) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

// The sum of little-endian words is the byte-swapped sum of big-endian ones (RFC 1071 section 2 B).
std::uint16_t native_sum(ByteView bytes) {
  const std::uint8_t* p = bytes.data();
  std::size_t n = bytes.size();
  std::uint64_t low = 0, high = 0;  // two chains, so that additions overlap
  for (; n >= 16; p += 16, n -= 16) {
    std::uint32_t words[4];
    std::memcpy(words, p, 16);
    low += std::uint64_t{words[0]} + words[1];
    high += std::uint64_t{words[2]} + words[3];
  }
  for (; n >= 2; p += 2, n -= 2) {
    std::uint16_t word;
    std::memcpy(&word, p, 2);
    low += word;
  }
  if (n == 1) low += *p;
  return fold64(fold64(low) + std::uint64_t{fold64(high)});
}

}  // namespace

std::uint32_t checksum_add(std::uint32_t sum, ByteView bytes) {
  const std::uint16_t native = native_sum(bytes);
  const auto big = static_cast<std::uint16_t>(native << 8 | native >> 8);
  return checksum_fold(sum) + std::uint32_t{big};
}

std::uint16_t checksum_fold(std::uint32_t sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

std::uint32_t pseudo_header_sum(const IpAddress& src, const IpAddress& dst, std::uint8_t protocol,
                                std::size_t l4_size) {
  std::uint32_t sum = checksum_add(0, src.bytes());
  sum = checksum_add(sum, dst.bytes());
  return sum + protocol + static_cast<std::uint32_t>(l4_size >> 16) +
         static_cast<std::uint32_t>(l4_size & 0xffff);
}

std::uint16_t checksum_update(std::uint16_t field, ByteView before, ByteView after) {
  MIGD_CHECK(before.size() == after.size() && before.size() % 2 == 0);
  const std::uint16_t old_sum = checksum_fold(checksum_add(0, before));
  const std::uint32_t sum = std::uint32_t{static_cast<std::uint16_t>(~field)} +
                            static_cast<std::uint16_t>(~old_sum) +
                            checksum_fold(checksum_add(0, after));
  return checksum_finish(sum);
}

}  // namespace migd
