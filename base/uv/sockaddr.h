// Endpoints as the operating system writes them.
#pragma once

#include <sys/socket.h>

#include <optional>

#include "base/address.h"

namespace migd {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress to_socket_address(const Endpoint& endpoint);
std::optional<Endpoint> to_endpoint(const SocketAddress& address);  // of IPv4 and IPv6 only

}  // namespace migd
