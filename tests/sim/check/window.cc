#include "tests/sim/check/window.h"

#include <fmt/format.h>

namespace migd::sim {

void AckChecker::on_segment(const SegmentSeen& seen) {
  if (seen.point != Crossing::Point::kSent) return;
  const Segment& segment = seen.segment;
  State& state = states_[seen.flow.number];
  if (!seen.to_client) {
    const std::uint32_t end = segment.seq + segment.length();
    if (!state.client_end || before(*state.client_end, end)) state.client_end = end;
    return;
  }
  if (!segment.has(Segment::kAck)) return;
  if (state.ack && before(segment.ack, *state.ack)) {
    report(seen.at, fmt::format("ACK goes back from {}: {}", *state.ack, segment.to_string()));
  }
  if (state.client_end && before(*state.client_end, segment.ack)) {
    report(seen.at, fmt::format("ACK of what was not sent, the client is at {}: {}",
                                *state.client_end, segment.to_string()));
  }
  state.ack = segment.ack;
}

void WindowChecker::on_segment(const SegmentSeen& seen) {
  const Segment& segment = seen.segment;
  if (!seen.to_client || seen.point != Crossing::Point::kSent) return;
  if (!segment.has(Segment::kAck) || segment.has(Segment::kRst)) return;
  const std::uint8_t scale = segment.has(Segment::kSyn) ? std::uint8_t{0} : seen.flow.server_scale;
  const std::uint32_t edge = segment.ack + (std::uint32_t{segment.window} << scale);
  const std::uint32_t unit = (1u << scale) - 1;
  const auto [known, first] = edges_.try_emplace(seen.flow.number, edge);
  if (!first && before(edge + unit, known->second)) {
    report(seen.at, fmt::format("the right edge shrinks by {} bytes: {}", known->second - edge,
                                segment.to_string()));
  }
  if (before(known->second, edge)) known->second = edge;
}

}  // namespace migd::sim
