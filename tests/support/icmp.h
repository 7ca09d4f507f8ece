// ICMP errors about what a stack has sent, for tests.
#pragma once

#include <algorithm>

#include "tests/support/packets.h"
#include "tests/support/segment.h"

namespace migd::test {

struct IcmpFields {
  std::uint8_t type = 0, code = 0;
  std::uint32_t rest = 0;
  std::size_t quoted = 28;  // bytes
};

// An error about `ours`, from a router on the way.
inline Bytes icmp_about(const SeenSegment& ours, const IcmpFields& fields) {
  const bool v4 = ours.ip.family() == Family::kIpv4;
  const std::uint8_t protocol = v4 ? kProtocolIcmp : kProtocolIcmpv6;
  const IpAddress router = *IpAddress::parse(v4 ? "10.77.3.3" : "fd77:3::3");
  Bytes icmp{fields.type, fields.code, 0, 0};
  ByteWriter(icmp).u32(fields.rest);
  append(icmp, ByteView(ours.packet).first(std::min(fields.quoted, ours.packet.size())));
  if (v4) store_u16(&icmp[2], static_cast<std::uint16_t>(~reference_sum(icmp)));
  Bytes packet = ip_packet(router, ours.ip.src, protocol, icmp, 2, 1);
  if (v4) {  // without a pseudo-header
    const std::size_t at = 20;
    store_u16(&packet[at + 2], 0);
    store_u16(&packet[at + 2],
              static_cast<std::uint16_t>(~reference_sum(ByteView(packet).subspan(at))));
  }
  return packet;
}

inline Bytes too_big(const SeenSegment& ours, std::uint32_t mtu) {
  const bool v4 = ours.ip.family() == Family::kIpv4;
  return icmp_about(ours, v4 ? IcmpFields{3, 4, mtu, 28} : IcmpFields{2, 0, mtu, 200});
}

}  // namespace migd::test
