// Builds lwIP's queues from byte ranges: what tcp_write() and tcp_receive() would have queued, for
// a connection that comes in. Called inside an AssertionGuard; false: memory has run out, and what
// was built is on the PCB's queues and goes with them.
#pragma once

#include "base/bytes.h"
#include "base/seq.h"
#include "stack/lwip_headers.h"

namespace migd {

// Cuts `bytes`, which begin at sequence number `first`, by the PCB's MSS and adds the segments to a
// queue whose end is at `*end`; `end` moves on. `fin`: the last, or one of its own, carries a FIN.
bool append_segments(tcp_pcb& pcb, tcp_seg**& end, SeqNum first, ByteView bytes, bool fin);

// Adds one range to the out-of-order queue, whose end is at `*end`; `end` moves on.
bool append_out_of_order(const tcp_pcb& pcb, tcp_seg**& end, SeqNum first, ByteView bytes,
                         bool fin);

// How many segments append_segments() makes of so many bytes.
std::size_t segments_of(const tcp_pcb& pcb, std::size_t bytes);

}  // namespace migd
