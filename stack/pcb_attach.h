// A PCB of lwIP, made from a snapshot.
#pragma once

#include "stack/lwip_headers.h"
#include "stack/snapshot.h"

namespace migd {

// What fits a packet, TCP's options among it (as lwIP counts).
std::uint16_t mss_of_mtu(std::uint16_t mtu, Family family);

// The MSS towards the peer on a link of this MTU, and on the path, as far as that is known.
std::uint16_t mss_on_link(const TcpSnapshot& snapshot, std::uint16_t link_mtu);

// Inside lwIP, with the settings of the connection. The snapshot has passed check_snapshot(). The
// PCB is complete, and on none of lwIP's lists; it has no callbacks. Null when memory has run out
// or the queue has more segments than lwIP can count.
tcp_pcb* make_pcb(const TcpSnapshot& snapshot, std::uint16_t mss, Instant captured_at,
                  tcp_pcb_listen* listener);

// Inside lwIP: what waits to be sent or acknowledged, in segments of at most `mss`. False: memory
// has run out, and the queues are not complete.
bool cut_anew(const TcpSnapshot& snapshot, std::uint16_t mss, Instant captured_at, tcp_pcb& pcb);

}  // namespace migd
