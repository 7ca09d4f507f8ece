// What became of a segment that was sent: bits of tcp_seg::migd_marks. A segment is on the queue of
// the unacknowledged from its first sending until it is acknowledged.
#pragma once

#include <cstdint>

#include "base/seq.h"
#include "base/time.h"
#include "stack/lwip_headers.h"

namespace migd {

enum SegmentMark : std::uint8_t {
  kSegmentSent = 1,
  kSegmentSacked = 2,         // the peer holds it (RFC 2018); excludes the next
  kSegmentLost = 4,           // as far as we know; no longer counted as in flight
  kSegmentRetransmitted = 8,  // at least once: says nothing about the round trip (Karn)
  kSegmentResent = 16,        // since it was taken for lost: counted as in flight again
};

inline SeqNum first_of(const tcp_seg& segment) {
  return SeqNum(lwip_ntohl(segment.tcphdr->seqno));
}
// In sequence space: SYN and FIN count.
inline std::uint32_t length_of(const tcp_seg& segment) {
  return TCP_TCPLEN(&segment);
}
inline SeqNum end_of(const tcp_seg& segment) {
  return first_of(segment) + length_of(segment);
}
inline Instant sent_at(const tcp_seg& segment) {
  return Instant(Duration(segment.migd_sent_at));
}
inline bool has(const tcp_seg& segment, std::uint8_t marks) {
  return (segment.migd_marks & marks) != 0;
}

}  // namespace migd
