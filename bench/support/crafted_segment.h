// A TCP segment over IPv4, made by hand in a buffer of the caller's.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/packet.h"

namespace migd::bench {

inline constexpr std::size_t kCraftedHeaders = 20 + 20;  // IPv4 and TCP, without options

// What an ordinary client's SYN says: MSS, SACK, a timestamp, window scale (RFC 9293 3.2, RFC 2018,
// RFC 7323). Whoever repeats SYNs puts another value at kSynTimestampAt.
inline constexpr std::array<std::uint8_t, 20> kSynOptions{2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 1,
                                                          2, 3, 0,    0,    0, 0, 1, 3,  3, 7};
inline constexpr std::size_t kSynTimestampAt = 8;

struct CraftedSegment {
  IpAddress src, dst;
  std::uint16_t src_port = 0, dst_port = 0;
  std::uint32_t seq = 0, ack = 0;
  std::uint8_t flags = 0;
  ByteView options = {};  // a multiple of four bytes
  ByteView payload = {};
};

// Returns its size, checksums included; `out` has room.
inline std::size_t craft(const CraftedSegment& segment, std::uint8_t* out) {
  const std::size_t header = 20 + segment.options.size();
  const std::size_t size = 20 + header + segment.payload.size();
  IpHeader ip;
  ip.src = segment.src;
  ip.dst = segment.dst;
  ip.protocol = kProtocolTcp;
  ip.hop_limit = 64;
  ip.header_size = 20;
  ip.total_size = static_cast<std::uint32_t>(size);
  const MutableBytes bytes(out, size);
  write_ip_header(bytes, ip, size - 20, 0);
  std::uint8_t* const tcp = out + 20;
  store_u16(tcp, segment.src_port);
  store_u16(tcp + 2, segment.dst_port);
  store_u32(tcp + 4, segment.seq);
  store_u32(tcp + 8, segment.ack);
  tcp[12] = static_cast<std::uint8_t>(header / 4 << 4);
  tcp[13] = segment.flags;
  store_u16(tcp + 14, 0xffff);
  store_u32(tcp + 16, 0);
  std::copy(segment.options.begin(), segment.options.end(), tcp + 20);
  std::copy(segment.payload.begin(), segment.payload.end(), tcp + header);
  complete_l4_checksum(ip, bytes);
  return size;
}

}  // namespace migd::bench
