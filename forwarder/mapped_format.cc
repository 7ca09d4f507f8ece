#include "forwarder/mapped_format.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/checksum.h"
#include "base/packet.h"

namespace migd {
namespace {

constexpr std::size_t kIpv4TtlOffset = 8;  // with the protocol it makes one checksummed word
constexpr std::size_t kIpv4ChecksumOffset = 10;
constexpr std::size_t kIpv4AddressesOffset = 12;
constexpr std::size_t kIpv6HopLimitOffset = 7;
constexpr std::size_t kIpv6AddressesOffset = 8;
constexpr std::size_t kPortsSize = 4;

void update(std::uint8_t* field, ByteView before, ByteView after) {
  store_u16(field, checksum_update(load_u16(field), before, after));
}

// A partial checksum is a sum, not the complement of one.
void update_partial(std::uint8_t* field, ByteView before, ByteView after) {
  const auto complement = static_cast<std::uint16_t>(~load_u16(field));
  store_u16(field, static_cast<std::uint16_t>(~checksum_update(complement, before, after)));
}

void take_hops(MutableBytes packet, std::uint8_t hops) {
  const bool ipv4 = packet[0] >> 4 == 4;
  std::uint8_t& hop_limit = packet[ipv4 ? kIpv4TtlOffset : kIpv6HopLimitOffset];
  MIGD_CHECK(hop_limit >= hops);
  const std::uint8_t before[2] = {hop_limit, packet[9]};
  hop_limit = static_cast<std::uint8_t>(hop_limit - hops);
  if (ipv4) update(&packet[kIpv4ChecksumOffset], before, packet.subspan(kIpv4TtlOffset, 2));
}

}  // namespace

void rewrite_ends(Frame& frame, const PacketEnds& ends, std::uint8_t hops) {
  const MutableBytes packet = frame.mutable_bytes();
  const bool ipv4 = packet[0] >> 4 == 4;
  MIGD_CHECK(ipv4 == ends.src.address.is_v4() && ipv4 == ends.dst.address.is_v4());
  const std::size_t l4_offset = ipv4 ? std::size_t{packet[0] & 0x0fu} * 4 : 40;
  MIGD_CHECK(packet.size() >= l4_offset + TcpView::kMinSize);
  take_hops(packet, hops);

  const std::size_t address_size = ipv4 ? 4 : 16;
  const MutableBytes addresses =
      packet.subspan(ipv4 ? kIpv4AddressesOffset : kIpv6AddressesOffset, 2 * address_size);
  std::array<std::uint8_t, 32> old_addresses;
  std::copy(addresses.begin(), addresses.end(), old_addresses.begin());
  const ByteView before{old_addresses.data(), addresses.size()};
  std::copy_n(ends.src.address.bytes().begin(), address_size, addresses.begin());
  std::copy_n(ends.dst.address.bytes().begin(), address_size, &addresses[address_size]);
  if (ipv4) update(&packet[kIpv4ChecksumOffset], before, addresses);

  const MutableBytes ports = packet.subspan(l4_offset, kPortsSize);
  const std::array<std::uint8_t, kPortsSize> old_ports{ports[0], ports[1], ports[2], ports[3]};
  store_u16(&ports[0], ends.src.port);
  store_u16(&ports[2], ends.dst.port);
  std::uint8_t* const checksum = &packet[l4_offset + TcpView::kChecksumOffset];
  if (frame.offload.checksum == Offload::Checksum::kPartial) {
    update_partial(checksum, before, addresses);  // the ports are none of the pseudo-header's
  } else {
    update(checksum, before, addresses);
    update(checksum, old_ports, ports);
  }
}

}  // namespace migd
