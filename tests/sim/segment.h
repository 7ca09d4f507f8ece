// TCP segments as the simulator's own TCP and its checkers see them. Written apart from the
// daemon's parsers (base/packet.h) on purpose: a mistake there must not hide itself here.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/address.h"
#include "base/bytes.h"

namespace migd::sim {

struct Segment {
  static constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10;

  struct Timestamps {
    std::uint32_t value = 0, echo = 0;
  };
  struct Block {
    std::uint32_t left = 0, right = 0;
  };

  Endpoint src, dst;
  std::uint32_t seq = 0, ack = 0;
  std::uint8_t flags = 0;
  std::uint16_t window = 0;  // as in the header, not scaled
  std::optional<std::uint16_t> mss;
  std::optional<std::uint8_t> window_scale;
  bool sack_permitted = false;
  std::optional<Timestamps> timestamps;
  std::array<Block, 4> blocks{};
  std::size_t block_count = 0;
  ByteView payload;  // of the packet it was decoded from
  std::uint8_t hop_limit = 64;

  bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
  std::uint32_t length() const {  // in sequence space
    return static_cast<std::uint32_t>(payload.size()) + (has(kSyn) ? 1 : 0) + (has(kFin) ? 1 : 0);
  }
  std::string to_string() const;
};

// A whole IP packet, checksums included.
Bytes encode(const Segment& segment);

// Nothing when the packet is not TCP, or is damaged: lengths and checksums must hold.
std::optional<Segment> decode(ByteView packet);

// Addresses and protocol of any packet, undamaged or not; nothing when it is too short for them.
struct Addresses {
  IpAddress src, dst;
  std::uint8_t protocol = 0;
  std::size_t header_size = 0;
};
std::optional<Addresses> addresses_of(ByteView packet);

// Completes (or checks) the TCP or UDP checksum and the IPv4 header checksum of a whole packet.
void fill_checksums(MutableBytes packet);
bool checksums_hold(ByteView packet);

// RFC 9293 3.4: whether a comes before b.
inline bool before(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b) < 0;
}
inline bool at_or_before(std::uint32_t a, std::uint32_t b) {
  return !before(b, a);
}

}  // namespace migd::sim
