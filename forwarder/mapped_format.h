// Format A: a mapped flow's packet on its way from a forwarder to the owner. It is the client's TCP
// packet, rewritten in place; nothing is added, so a packet that fits the MTU still does, and a
// train of segments stays one.
//
//                 from the client          between forwarder F and owner H
//   IP source     client                   F's tunnel address
//   IP dest.      VIP                      H's tunnel address
//   IP TTL        n                        n - 1
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-------------------------------+-------------------------------+
//   |   flow identifier, high 16    |    flow identifier, low 16    |  TCP source, destination port
//   +-------------------------------+-------------------------------+
//   |                TCP as it was, checksum updated                |
//
// The address family is that of the inner packet. Checksums are updated by the difference (RFC
// 1624), so that damage on the way stays visible to the receiver's stack.
#pragma once

#include "base/address.h"
#include "base/frame.h"
#include "base/ids.h"

namespace migd {

struct PacketEnds {
  Endpoint src, dst;
};

// Gives the TCP packet in `frame` (IP and TCP headers there, no fragment) other ends of the same
// family, and the hop limit less `hops`; all checksums keep their meaning (complete, or kPartial:
// the pseudo-header's sum alone). CHECKs that the hop limit allows it.
void rewrite_ends(Frame& frame, const PacketEnds& ends, std::uint8_t hops);

inline PacketEnds mapped_ends(const IpAddress& from, const IpAddress& to, FlowId flow) {
  return {{from, static_cast<std::uint16_t>(flow.value >> 16)},
          {to, static_cast<std::uint16_t>(flow.value)}};
}
inline FlowId flow_of_ports(std::uint16_t src_port, std::uint16_t dst_port) {
  return FlowId{std::uint32_t{src_port} << 16 | dst_port};
}

}  // namespace migd
