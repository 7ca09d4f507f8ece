// What an ICMP error says about the path to a peer (RFC 1191, RFC 8201), and what to try when
// nothing comes through and nobody says why (RFC 4821).
#pragma once

#include <cstdint>
#include <optional>

#include "base/packet.h"
#include "base/quoted_segment.h"
#include "base/time.h"

namespace migd {

// Less is not believed. IPv6: every link carries 1280 (RFC 8201 4). IPv4: of smaller links there
// are none any more, while a forged message would have us send crumbs.
inline constexpr std::uint16_t kPathMtuMinV4 = 552;
inline constexpr std::uint16_t kPathMtuMinV6 = 1280;
constexpr std::uint16_t path_mtu_min(Family family) {
  return family == Family::kIpv4 ? kPathMtuMinV4 : kPathMtuMinV6;
}

// After so long a larger one is tried again (RFC 1191 6.3).
inline constexpr Duration kPathMtuLifetime = 10min;

// The MTU of the path, when the message says that the quoted packet was too big for it; not less
// than is believed, and less than the packet. Nothing: the message says something else, or nothing
// that can be.
std::optional<std::uint16_t> path_mtu_of(const IcmpView& icmp, Family family,
                                         const QuotedSegment& quoted);

// A packet of `size` bytes may have been too big, and no router says so: what to try next, which is
// less. Nothing: it was not the reason. `last_resort`: what only old links of IPv4 do not take.
std::optional<std::uint16_t> path_mtu_to_try(Family family, std::size_t size, bool last_resort);

}  // namespace migd
