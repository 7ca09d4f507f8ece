#include "base/quoted_segment.h"

#include "base/reader.h"

namespace migd {
namespace {

bool is_error(const IcmpView& icmp, Family family) {
  if (family == Family::kIpv6) return icmp.type < 128;  // RFC 4443 2.1
  // RFC 792: destination unreachable, source quench, redirect, time exceeded, parameter problem.
  return icmp.type == 3 || icmp.type == 4 || icmp.type == 5 || icmp.type == 11 || icmp.type == 12;
}

struct QuotedIp {
  std::uint8_t protocol = 0;
  std::uint32_t total_size = 0;
  IpAddress src, dst;
};

// Not parse_ip(): the quoted packet is cut short, and its checksum may have changed on the way.
std::optional<QuotedIp> read_ipv4(BoundedReader& in) {
  const std::uint8_t first = in.u8();
  const std::size_t header_size = std::size_t{first & 0x0fu} * 4;
  if (first >> 4 != 4 || header_size < 20) return std::nullopt;
  QuotedIp ip;
  in.skip(1);
  ip.total_size = in.u16();
  in.skip(5);
  ip.protocol = in.u8();
  in.skip(2);
  const ByteView src = in.bytes(4), dst = in.bytes(4);
  in.skip(header_size - 20);
  if (!in.ok()) return std::nullopt;
  ip.src = IpAddress::from_bytes(src);
  ip.dst = IpAddress::from_bytes(dst);
  return ip;
}

std::optional<QuotedIp> read_ipv6(BoundedReader& in) {
  if (in.u8() >> 4 != 6) return std::nullopt;
  QuotedIp ip;
  in.skip(3);
  ip.total_size = 40u + in.u16();
  ip.protocol = in.u8();
  in.skip(1);
  const ByteView src = in.bytes(16), dst = in.bytes(16);
  if (!in.ok()) return std::nullopt;
  ip.src = IpAddress::from_bytes(src);
  ip.dst = IpAddress::from_bytes(dst);
  return ip;
}

}  // namespace

std::optional<QuotedSegment> quoted_segment(const IcmpView& icmp, Family family) {
  if (!is_error(icmp, family)) return std::nullopt;
  BoundedReader in(icmp.quoted);
  const auto ip = family == Family::kIpv4 ? read_ipv4(in) : read_ipv6(in);
  if (!ip || ip->protocol != kProtocolTcp) return std::nullopt;
  const std::uint16_t src_port = in.u16(), dst_port = in.u16();
  const SeqNum seq(in.u32());
  if (!in.ok()) return std::nullopt;
  return QuotedSegment{{{ip->src, src_port}, {ip->dst, dst_port}}, seq, ip->total_size};
}

}  // namespace migd
