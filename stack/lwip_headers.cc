#include "stack/lwip_headers.h"

#include <cstring>

namespace migd {

ip_addr_t to_lwip(const IpAddress& address) {
  ip_addr_t result{};
  std::memcpy(&result.u_addr, address.bytes().data(), address.bytes().size());
  result.type = address.is_v4() ? IPADDR_TYPE_V4 : IPADDR_TYPE_V6;
  return result;
}

IpAddress from_lwip(const ip_addr_t& address) {
  std::uint8_t bytes[16];
  const std::size_t size = address.type == IPADDR_TYPE_V6 ? 16 : 4;
  std::memcpy(bytes, &address.u_addr, size);
  return IpAddress::from_bytes({bytes, size});
}

}  // namespace migd
