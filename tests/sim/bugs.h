// Bugs to plant: what a broken node would put on the wire, made by changing what a sound one sends.
#pragma once

#include <functional>
#include <vector>

#include "tests/sim/net.h"

namespace migd::sim {

// The packet with its TCP segment changed; packets that are no TCP come back as they are.
inline Bytes rewritten(ByteView packet, const std::function<void(Segment&)>& change) {
  auto segment = decode(packet);
  if (!segment) return to_bytes(packet);
  change(*segment);
  return encode(*segment);
}

// A filter that changes every segment sent from `vip` (so nothing between nodes) while `when`
// holds.
inline SimNet::Filter rewriting(const Endpoint& vip, std::function<bool()> when,
                                std::function<void(Segment&)> change) {
  return [=](Bytes packet) {
    std::vector<Bytes> out;
    const auto segment = decode(packet);
    const bool ours = segment && segment->src == vip && when();
    out.push_back(ours ? rewritten(packet, change) : std::move(packet));
    return out;
  };
}

namespace bugs {

inline void timestamp_back(Segment& segment) {
  if (segment.timestamps) segment.timestamps->value -= 1u << 20;
}
inline void shrunk_window(Segment& segment) {
  segment.window = static_cast<std::uint16_t>(segment.window / 4);
}
// The window's right edge stays where it was.
inline std::function<void(Segment&)> ack_back(std::uint8_t scale) {
  return [scale](Segment& segment) {
    segment.ack -= 1u << (scale + 3);
    segment.window = static_cast<std::uint16_t>(segment.window + 8);
  };
}
inline void no_timestamps(Segment& segment) {
  segment.timestamps.reset();
}
inline void reset(Segment& segment) {
  segment.flags = Segment::kRst | Segment::kAck;
  segment.payload = {};
}
inline void second_handshake(Segment& segment) {
  segment.flags |= Segment::kSyn;
}
inline void sack_withheld(Segment& segment) {
  segment.block_count = 0;
}

}  // namespace bugs
}  // namespace migd::sim
