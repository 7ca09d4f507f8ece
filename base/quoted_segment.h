// The segment that an ICMP error is about. Routers quote the beginning of a packet that we sent
// (RFC 792: the IP header and 8 bytes; RFC 4443: as much as fits), so the quoted source is the VIP.
#pragma once

#include <optional>

#include "base/address.h"
#include "base/packet.h"

namespace migd {

struct QuotedSegment {
  FourTuple flow;                // local is whose packet it was
  SeqNum seq;                    // its first
  std::uint32_t total_size = 0;  // of the packet, as its IP header says
};

// Nothing when the message is no error, or quotes less of a TCP header than this.
std::optional<QuotedSegment> quoted_segment(const IcmpView& icmp, Family family);

}  // namespace migd
