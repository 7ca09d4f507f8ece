#include "forwarder/quoted_flow.h"

#include "base/reader.h"

namespace migd {
namespace {

bool is_error(const IcmpView& icmp, Family family) {
  if (family == Family::kIpv6) return icmp.type < 128;  // RFC 4443 2.1
  // RFC 792: destination unreachable, source quench, redirect, time exceeded, parameter problem.
  return icmp.type == 3 || icmp.type == 4 || icmp.type == 5 || icmp.type == 11 || icmp.type == 12;
}

FourTuple read_flow(BoundedReader& in, std::size_t address_size, std::size_t options_size) {
  const ByteView src = in.bytes(address_size);
  const ByteView dst = in.bytes(address_size);
  in.skip(options_size);
  const std::uint16_t src_port = in.u16();
  const std::uint16_t dst_port = in.u16();
  if (!in.ok()) return {};
  return {{IpAddress::from_bytes(src), src_port}, {IpAddress::from_bytes(dst), dst_port}};
}

}  // namespace

// Not parse_ip(): the quoted packet is cut short, and its checksum may have changed on the way.
std::optional<FourTuple> quoted_flow(const IcmpView& icmp, Family family) {
  if (!is_error(icmp, family)) return std::nullopt;
  BoundedReader in(icmp.quoted);
  const std::uint8_t first = in.u8();
  std::uint8_t protocol = 0;
  FourTuple flow;
  if (family == Family::kIpv4) {
    const std::size_t header_size = std::size_t{first & 0x0fu} * 4;
    if (first >> 4 != 4 || header_size < 20) return std::nullopt;
    in.skip(8);
    protocol = in.u8();
    in.skip(2);
    flow = read_flow(in, 4, header_size - 20);
  } else {
    if (first >> 4 != 6) return std::nullopt;
    in.skip(5);
    protocol = in.u8();
    in.skip(1);
    flow = read_flow(in, 16, 0);
  }
  if (!in.ok() || protocol != kProtocolTcp) return std::nullopt;
  return flow;
}

}  // namespace migd
