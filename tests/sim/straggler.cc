#include "tests/sim/straggler.h"

#include <algorithm>

#include "forwarder/order_mark.h"
#include "tests/sim/segment.h"

namespace migd::sim {
namespace {

void store16(Bytes& bytes, std::size_t at, std::size_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}

}  // namespace

Bytes straggler(const SimMachine& from, const SimMachine& to, ByteView inner) {
  constexpr std::size_t kIp = 20, kUdp = 8, kGue = 36;
  Bytes packet(kIp + kUdp + kGue + inner.size());
  std::copy(inner.begin(), inner.end(), packet.end() - static_cast<std::ptrdiff_t>(inner.size()));
  packet[0] = 0x45;
  store16(packet, 2, packet.size());
  packet[8] = 64;
  packet[9] = 17;
  const auto copy = [&packet](const IpAddress& address, std::size_t at) {
    std::copy(address.bytes().begin(), address.bytes().end(),
              packet.begin() + static_cast<std::ptrdiff_t>(at));
  };
  copy(*from.options().self.tunnel_v4, 12);
  copy(*to.options().self.tunnel_v4, 16);
  store16(packet, kIp, 50000);
  store16(packet, kIp + 2, from.options().gue_port);
  store16(packet, kIp + 4, packet.size() - kIp);
  packet[kIp + kUdp] = kGue / 4 - 1;
  packet[kIp + kUdp + 1] = 4;     // IPv4 inside
  packet[kIp + kUdp + 4] = 1;     // version
  packet[kIp + kUdp + 5] = 0x80;  // forwarded
  packet[kIp + kUdp + 6] = 1;     // hops
  fill_checksums(packet);
  return packet;
}

bool is_order_mark(ByteView packet) {
  const auto ip = parse_ip(packet);
  if (!ip || ip->protocol != kProtocolTcp) return false;
  const auto tcp =
      TcpView::parse(packet.subspan(ip->header_size, ip->total_size - ip->header_size));
  return tcp && order_mark(*tcp);
}

}  // namespace migd::sim
