// The PROXY protocol's header, version 2, with which a local server learns whom it serves.
//
//   signature, 12 bytes | 0x21: version 2, PROXY | 0x11 TCP over IPv4, 0x21 over IPv6 | u16 length
//   of the rest | address of the client | of the VIP | u16 port of the client | of the VIP | 0x05
//   UNIQUE_ID, u16 16, the connection id
//
// The connection id stays the same wherever the connection moves, so logs of several servers can be
// joined.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "base/ids.h"

namespace migd {

Bytes proxy_header(const FourTuple& tuple, const ConnectionId& id);

}  // namespace migd
