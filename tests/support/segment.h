// A scripted TCP peer: builds the segments that a client would send, reads those that a stack under
// test sends, and watches all the while what no client may ever see: a timestamp, an acknowledgment
// or a window edge that goes back, a bad checksum, other bytes where bytes were seen before.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/frame.h"
#include "base/packet.h"
#include "tests/support/packets.h"

namespace migd::test {

// A segment that a stack sent, taken apart.
struct SeenSegment {
  Instant at{};
  IpHeader ip;
  FourTuple tuple;  // from the stack's side
  SeqNum seq, ack;
  std::uint8_t flags = 0;
  std::uint16_t window_field = 0;
  TcpOptions options;
  Bytes payload;
  Offload offload;
  Bytes packet;

  bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
  bool pure_ack() const { return flags == tcp_flag::kAck && payload.empty(); }
  std::string describe() const;  // "ACK|PSH seq 1 ack 2 win 3 len 4"
};

std::optional<SeenSegment> see(const Frame& frame, Instant at);

struct PeerOptions {
  Endpoint local{IpAddress::v4(0x0a4d0001), 40000};  // the peer's own
  Endpoint remote{IpAddress::v4(0x0a4d00c8), 80};    // the stack's
  std::uint32_t iss = 1000;
  std::optional<std::uint16_t> mss = 1460;
  std::optional<std::uint8_t> window_scale = 7;
  bool sack = true;
  bool timestamps = true;
  std::uint32_t window = 1u << 20;  // bytes

  static PeerOptions v6();
  static PeerOptions plain();  // no option but MSS
};

// What a test may want to have otherwise than the peer would do it.
struct SegmentChange {
  std::optional<SeqNum> seq = {};
  std::optional<SeqNum> ack = {};
  std::optional<std::uint32_t> window = {};
  std::vector<TcpOptions::SackBlock> sack = {};
  std::optional<Bytes> options = {};
  bool corrupt = false;
};

class Peer {
 public:
  explicit Peer(PeerOptions options = {});

  // ---- segments to the stack; sequence numbers advance by what is sent in order ----
  Bytes syn();
  Bytes ack(const SegmentChange& change = {});
  Bytes data(ByteView payload, const SegmentChange& change = {});
  Bytes fin(ByteView payload = {}, const SegmentChange& change = {});
  Bytes rst(const SegmentChange& change = {});
  Bytes segment(std::uint8_t flags, ByteView payload, const SegmentChange& change);

  // ---- segments from the stack ----
  void take(const SeenSegment& segment);

  // Another connection may take the place of this one, of whose segments nothing is known here.
  bool may_be_followed = false, followed = false;

  SeqNum send_next;      // of the peer
  SeqNum acked;          // by the stack
  SeqNum first_byte;     // of the stack's stream
  SeqNum receive_next;   // next byte from the stack
  SeqNum right_edge;     // up to where the peer may send
  std::uint32_t window;  // that the peer announces, bytes
  Bytes received;        // the stream from the stack
  bool fin_received = false;
  bool reset_received = false;
  bool established = false;  // the SYN/ACK was seen
  std::uint32_t last_tsval = 0;
  std::optional<std::uint16_t> announced_mss;
  std::uint8_t their_scale = 0;
  bool their_sack = false, their_timestamps = false;
  std::uint32_t tsval = 5000;  // of the peer's next segment; grows by one each
  PeerOptions options;

 private:
  Bytes option_bytes(const SegmentChange& change) const;

  bool scale_known_ = false;                     // both sides scale
  std::map<std::uint32_t, std::uint8_t> ahead_;  // received out of order, by sequence number
};

}  // namespace migd::test
