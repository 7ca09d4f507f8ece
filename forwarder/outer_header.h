// IP and UDP headers in front of what goes from tunnel address to tunnel address.
#pragma once

#include "base/address.h"
#include "base/frame.h"
#include "base/packet.h"

namespace migd {

struct OuterHeader {
  Endpoint src, dst;  // of one family
  std::uint8_t traffic_class = 0;
  enum class Checksum {
    kNone,     // RFC 768: zero; IPv4 only
    kFull,     // computed here
    kPartial,  // left to the device
  };
  Checksum checksum = Checksum::kFull;
};

inline constexpr std::size_t outer_header_size(Family family) {
  return ip_header_size(family) + UdpView::kHeaderSize;
}

// Prepends both headers to the payload in `frame` (DF set, hop limit 64) and says in
// frame.offload.checksum what the field is worth. CHECKs headroom and sizes; a train's headers are
// those of the whole.
void prepend_outer_header(Frame& frame, const OuterHeader& header);

}  // namespace migd
