// The flow that an ICMP error is about. Routers quote the beginning of a packet that we sent (RFC
// 792: the IP header and 8 bytes; RFC 4443: as much as fits), so the quoted source is the VIP.
#pragma once

#include <optional>

#include "base/address.h"
#include "base/packet.h"

namespace migd {

// Nothing when the message is no error, or quotes no TCP header's ports.
std::optional<FourTuple> quoted_flow(const IcmpView& icmp, Family family);

}  // namespace migd
