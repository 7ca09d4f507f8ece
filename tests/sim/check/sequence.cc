#include "tests/sim/check/sequence.h"

#include <fmt/format.h>

#include <algorithm>

namespace migd::sim {

void SequenceChecker::on_segment(const SegmentSeen& seen) {
  if (seen.point != Crossing::Point::kSent || seen.segment.has(Segment::kRst)) return;
  State& state = states_[seen.flow.number];
  if (seen.to_client) {
    check(seen, state);
  } else {
    note_client(seen, state);
  }
}

void SequenceChecker::note_client(const SegmentSeen& seen, State& state) {
  if (!seen.segment.has(Segment::kAck)) return;
  const std::uint32_t edge =
      seen.segment.ack + (std::uint32_t{seen.segment.window} << seen.flow.client_scale);
  if (!state.client_edge || before(*state.client_edge, edge)) state.client_edge = edge;
}

void SequenceChecker::check(const SegmentSeen& seen, State& state) {
  const Segment& segment = seen.segment;
  if (segment.length() == 0 || segment.has(Segment::kSyn) || !seen.flow.server_isn) return;
  const auto wrong = [&](std::string_view what) {
    report(seen.at, fmt::format("{}: {}", what, segment.to_string()));
  };
  const std::uint32_t offset = segment.seq - *seen.flow.server_isn - 1;
  const ByteView payload = segment.payload;
  if (payload.size() > seen.flow.client_mss) wrong("larger than the client's MSS");
  // A window probe may put one byte beyond the edge (RFC 9293 3.8.6.1).
  if (state.client_edge &&
      before(*state.client_edge + 1, segment.seq + static_cast<std::uint32_t>(payload.size()))) {
    wrong("beyond the client's window");
  }
  if (offset > state.stream.size()) return wrong("leaves a hole in the stream");
  const std::size_t known = std::min(payload.size(), state.stream.size() - offset);
  if (!std::equal(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(known),
                  state.stream.begin() + offset)) {
    wrong("contradicts what was sent before");
  }
  const bool grows = known < payload.size();
  if (state.fin_at &&
      (grows || (segment.has(Segment::kFin) && *state.fin_at != offset + payload.size()))) {
    wrong("data behind the FIN");
  }
  append(state.stream, payload.subspan(known));
  if (segment.has(Segment::kFin)) state.fin_at = offset + payload.size();
}

}  // namespace migd::sim
