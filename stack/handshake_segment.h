// Segments of a handshake that no PCB stands behind: the SYN/ACK of a SYN cookie, and the SYN that
// it answered, as far as the cookie remembers it.
#pragma once

#include "base/bytes.h"
#include "base/packet.h"
#include "stack/syn_cookies.h"

namespace migd {

struct HandshakeSegment {
  std::uint16_t src_port = 0, dst_port = 0;
  SeqNum seq, ack;
  std::uint8_t flags = tcp_flag::kSyn;
  std::uint16_t window = 0;
  HandshakeTerms options;  // those it carries
  TcpOptions::Timestamps timestamps;
};

// The TCP header with its options; no checksum.
Bytes write_segment(const HandshakeSegment& segment);

}  // namespace migd
