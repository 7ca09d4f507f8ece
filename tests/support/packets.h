// Packets for tests, made byte by byte and summed with the plain loop of RFC 1071, so that they are
// independent of what they test.
#pragma once

#include <cstdint>

#include "base/address.h"
#include "base/bytes.h"
#include "base/packet.h"

namespace migd::test {

// RFC 1071 section 4.1, word by word.
inline std::uint16_t reference_sum(ByteView bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += i % 2 == 0 ? std::uint32_t{bytes[i]} << 8 : bytes[i];
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(sum);
}

inline std::uint16_t reference_l4_sum(const IpAddress& src, const IpAddress& dst,
                                      std::uint8_t protocol, ByteView l4) {
  Bytes pseudo = to_bytes(src.bytes());
  append(pseudo, dst.bytes());
  ByteWriter out(pseudo);
  out.u32(static_cast<std::uint32_t>(l4.size()));
  out.u32(protocol);
  return reference_sum(l4, reference_sum(pseudo));
}

inline Bytes ramp(std::size_t size, std::size_t from = 0) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::uint8_t>((from + i) % 251);
  return bytes;
}

struct TcpFields {
  Endpoint src{IpAddress::v4(0x0a4d0001), 40000};
  Endpoint dst{IpAddress::v4(0x0a4d0002), 80};
  std::uint32_t seq = 1000;
  std::uint32_t ack = 2000;
  std::uint8_t flags = tcp_flag::kAck;
  std::uint16_t window = 65535;
  Bytes options = {};  // a multiple of four bytes
  Bytes payload = {};
  std::uint16_t ip_id = 7;
};

struct UdpFields {
  Endpoint src{IpAddress::v4(0x0a4d0001), 40000};
  Endpoint dst{IpAddress::v4(0x0a4d0002), 7946};
  Bytes payload = {};
  std::uint16_t ip_id = 7;
};

// An IP packet around `l4`, whose checksum field at `checksum_at` is filled in.
inline Bytes ip_packet(const IpAddress& src, const IpAddress& dst, std::uint8_t protocol, Bytes l4,
                       std::size_t checksum_at, std::uint16_t ip_id) {
  const auto sum = static_cast<std::uint16_t>(~reference_l4_sum(src, dst, protocol, l4));
  store_u16(&l4[checksum_at], protocol == kProtocolUdp && sum == 0 ? 0xffff : sum);
  Bytes packet;
  ByteWriter out(packet);
  const auto l4_size = static_cast<std::uint16_t>(l4.size());
  if (src.is_v4()) {
    out.u16(0x4500);
    out.u16(static_cast<std::uint16_t>(20 + l4_size));
    out.u16(ip_id);
    out.u16(0x4000);
    out.u8(64);
    out.u8(protocol);
    out.u16(0);
    out.bytes(src.bytes());
    out.bytes(dst.bytes());
    store_u16(&packet[10], static_cast<std::uint16_t>(~reference_sum(packet)));
  } else {
    out.u32(0x60000000);
    out.u16(l4_size);
    out.u8(protocol);
    out.u8(64);
    out.bytes(src.bytes());
    out.bytes(dst.bytes());
  }
  append(packet, l4);
  return packet;
}

inline Bytes tcp_packet(const TcpFields& f) {
  Bytes l4;
  ByteWriter out(l4);
  out.u16(f.src.port);
  out.u16(f.dst.port);
  out.u32(f.seq);
  out.u32(f.ack);
  out.u8(static_cast<std::uint8_t>((20 + f.options.size()) / 4 << 4));
  out.u8(f.flags);
  out.u16(f.window);
  out.u32(0);  // checksum, urgent pointer
  out.bytes(f.options);
  out.bytes(f.payload);
  return ip_packet(f.src.address, f.dst.address, kProtocolTcp, l4, 16, f.ip_id);
}

inline Bytes udp_packet(const UdpFields& f) {
  Bytes l4;
  ByteWriter out(l4);
  out.u16(f.src.port);
  out.u16(f.dst.port);
  out.u16(static_cast<std::uint16_t>(8 + f.payload.size()));
  out.u16(0);
  out.bytes(f.payload);
  return ip_packet(f.src.address, f.dst.address, kProtocolUdp, l4, 6, f.ip_id);
}

// Puts the sum of the pseudo-header into the checksum field, as Checksum::kPartial has it.
inline void make_partial(Bytes& packet) {
  const IpHeader ip = *parse_ip(packet);
  const std::size_t at = ip.header_size + (ip.protocol == kProtocolTcp ? 16u : 6u);
  store_u16(&packet[at], 0);
  Bytes pseudo = to_bytes(ip.src.bytes());
  append(pseudo, ip.dst.bytes());
  ByteWriter out(pseudo);
  out.u32(ip.total_size - ip.header_size);
  out.u32(ip.protocol);
  store_u16(&packet[at], reference_sum(pseudo));
}

// True when the checksums of IPv4's header and of TCP or UDP hold.
inline bool checksums_hold(ByteView packet) {
  const auto ip = parse_ip(packet);
  if (!ip) return false;
  if (ip->family() == Family::kIpv4 && reference_sum(packet.first(ip->header_size)) != 0xffff) {
    return false;
  }
  const ByteView l4 = packet.subspan(ip->header_size, ip->total_size - ip->header_size);
  return reference_l4_sum(ip->src, ip->dst, ip->protocol, l4) == 0xffff;
}

}  // namespace migd::test
