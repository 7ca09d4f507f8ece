// Format B: Generic UDP Encapsulation (draft-ietf-intarea-gue-09, variant 0, data message) with a
// private header of ours, around one whole IP packet. It serves what format A
// (forwarder/mapped_format.h) cannot: connections that no flow identifier names yet, stragglers
// that follow a tombstone, packets that are not TCP, and underlays of the other address family.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---+-+---------+---------------+-------------------------------+
//   | 0 |0|  Hlen   |  Proto/ctype  |           Flags = 0           |  GUE
//   +---+-+---------+---------------+-------------------------------+
//   |  Version = 1  |F R 6 A 0 0 0 0|     Hops      |    reserved   |  private data
//   +---------------+---------------+---------------+---------------+
//   |                             Epoch                             |
//   +---------------------------------------------------------------+
//   |                        Flow identifier                        |
//   +-------------------------------+-------------------------------+
//   |           Next hop            |           reserved            |
//   +-------------------------------+-------------------------------+
//   |                                                               |
//   |                   Connection id (16 bytes)                    |
//   |                                                               |
//   +---------------------------------------------------------------+
//   |  R: reference to the connection endpoint: local address,      |
//   |     peer address (4 bytes each, with 6 set 16 bytes each),    |
//   |     local port (2), peer port (2), SND.NXT (4), RCV.NXT (4)   |
//   +---------------------------------------------------------------+
//   |  A: authentication tag (16 bytes)                             |
//   +---------------------------------------------------------------+
//   |  the packet: IPv4 (Proto 4) or IPv6 (Proto 41)                |
//
// Hlen counts the 32-bit words behind the first; it and the flags must agree exactly. Unknown
// flags and versions are refused, because they change what follows; reserved bytes are sent as zero
// and ignored. F: the packet was forwarded by an earlier owner. Hops: how often this packet has
// been encapsulated, at most limits::kForwardHopsMax. Epoch, flow identifier and connection id are
// zero when the sender knows none. Next hop: the node to ask when the receiver does not know the
// flow; 0: none.
#pragma once

#include <array>
#include <optional>
#include <tl/expected.hpp>

#include "base/address.h"
#include "base/drop_reason.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/seq.h"

namespace migd {

// Names the end of a connection, for a node that is to answer as if it were the first.
struct GueReference {
  FourTuple tuple;
  SeqNum send_next;
  SeqNum receive_next;
  bool operator==(const GueReference&) const = default;
};

struct GueHeader {
  using Tag = std::array<std::uint8_t, 16>;

  bool forwarded = false;
  std::uint8_t hops = 1;
  Tenure tenure;
  FlowId flow;
  NodeId next_hop;
  std::optional<GueReference> reference;
  std::optional<Tag> tag;
  Family inner = Family::kIpv4;  // set by Tunnel::send_gue()

  std::size_t size() const;          // bytes, GUE header included
  void serialize(Bytes& out) const;  // appends size() bytes
  // From the front of a UDP payload; what follows size() bytes is the packet.
  static tl::expected<GueHeader, DropReason> parse(ByteView udp_payload);

  bool operator==(const GueHeader&) const = default;

  static constexpr std::size_t kFixedSize = 36;
  static constexpr std::size_t kReferenceSizeMax = 2 * (16 + 2) + 2 * 4;
  static constexpr std::size_t kTagSize = std::tuple_size_v<Tag>;
};
static_assert(GueHeader::kFixedSize + GueHeader::kReferenceSizeMax + GueHeader::kTagSize ==
              limits::kGueHeaderMax);

}  // namespace migd
