// lwIP's headers, for the few files of stack/ that see them, and the conversions between its
// addresses and ours.
#pragma once

#include "base/address.h"
#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/tcp.h"
#include "lwip/tcp.h"

namespace migd {

ip_addr_t to_lwip(const IpAddress& address);
IpAddress from_lwip(const ip_addr_t& address);

}  // namespace migd
