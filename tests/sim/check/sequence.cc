#include "tests/sim/check/sequence.h"

#include <fmt/format.h>

#include <algorithm>

namespace migd::sim {

void SequenceChecker::on_segment(const SegmentSeen& seen) {
  if (seen.point != Crossing::Point::kSent || seen.segment.has(Segment::kRst)) return;
  if (seen.to_client) check(seen, states_[seen.flow.number]);
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
