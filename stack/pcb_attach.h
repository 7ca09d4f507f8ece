// A PCB of lwIP, made from a snapshot.
#pragma once

#include "stack/lwip_headers.h"
#include "stack/snapshot.h"

namespace migd {

// The MSS towards the peer on a link of this MTU.
std::uint16_t mss_on_link(const TcpSnapshot& snapshot, std::uint16_t mtu);

// Inside lwIP, with the settings of the connection. The snapshot has passed check_snapshot(). The
// PCB is complete, and on none of lwIP's lists; it has no callbacks. Null when memory has run out
// or the queue has more segments than lwIP can count.
tcp_pcb* make_pcb(const TcpSnapshot& snapshot, std::uint16_t mss, Instant captured_at,
                  tcp_pcb_listen* listener);

}  // namespace migd
