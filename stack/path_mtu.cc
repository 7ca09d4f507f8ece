#include "stack/path_mtu.h"

#include <algorithm>
#include <array>

namespace migd {
namespace {

// RFC 1191 7.1: what the MTU may be, when a router does not say it.
constexpr std::array<std::uint16_t, 8> kPlateaus{32000, 17914, 8166, 4352,
                                                 2002,  1492,  1006, kPathMtuMinV4};

std::uint32_t plateau_below(std::uint32_t size) {
  const auto below = std::find_if(kPlateaus.begin(), kPlateaus.end(),
                                  [size](std::uint16_t plateau) { return plateau < size; });
  return below == kPlateaus.end() ? kPathMtuMinV4 : *below;
}

// Every tunnel takes as much (RFC 4821 7.2 has 1024 of payload).
constexpr std::uint16_t kPathMtuOfTunnels = 1280;

}  // namespace

std::optional<std::uint16_t> path_mtu_to_try(Family family, std::size_t size, bool last_resort) {
  const std::uint16_t mtu = last_resort ? path_mtu_min(family) : kPathMtuOfTunnels;
  if (size <= mtu) return std::nullopt;
  return mtu;
}

std::optional<std::uint16_t> path_mtu_of(const IcmpView& icmp, Family family,
                                         const QuotedSegment& quoted) {
  std::uint32_t mtu = 0;
  if (family == Family::kIpv4) {
    if (icmp.type != 3 || icmp.code != 4) return std::nullopt;
    mtu = icmp.rest_of_header & 0xffff;
    if (mtu == 0) mtu = plateau_below(quoted.total_size);
    mtu = std::max<std::uint32_t>(mtu, kPathMtuMinV4);
  } else {
    if (icmp.type != 2) return std::nullopt;
    mtu = icmp.rest_of_header;
    if (mtu < kPathMtuMinV6) return std::nullopt;
  }
  if (mtu >= quoted.total_size || mtu > 0xffff) return std::nullopt;
  return static_cast<std::uint16_t>(mtu);
}

}  // namespace migd
