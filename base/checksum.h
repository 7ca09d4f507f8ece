// The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
#pragma once

#include <cstdint>

#include "base/address.h"
#include "base/bytes.h"

namespace migd {

// Ones'-complement sums are kept in 32 bits, partly folded, in the byte order of the wire read as
// big-endian 16-bit words.
std::uint32_t checksum_add(std::uint32_t sum, ByteView bytes);  // odd sizes pad with a zero byte
std::uint16_t checksum_fold(std::uint32_t sum);                 // folded, not complemented

inline std::uint16_t checksum_finish(std::uint32_t sum) {
  return static_cast<std::uint16_t>(~checksum_fold(sum));
}

// Sum over the pseudo-header of TCP and UDP (RFC 9293 3.1, RFC 8200 8.1).
std::uint32_t pseudo_header_sum(const IpAddress& src, const IpAddress& dst, std::uint8_t protocol,
                                std::size_t l4_size);

// The checksum field after the covered bytes `before` became `after` (equal, even sizes), RFC 1624
// equation 3: HC' = ~(~HC + ~m + m').
std::uint16_t checksum_update(std::uint16_t field, ByteView before, ByteView after);

}  // namespace migd
