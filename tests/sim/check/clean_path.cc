#include "tests/sim/check/clean_path.h"

#include <fmt/format.h>

namespace migd::sim {

std::string FlowCounts::to_string() const {
  return fmt::format(
      "retransmissions {} by server, {} by client; duplicate ACKs {} by server, {} by client; {} "
      "out of order, {} beyond the window",
      server_retransmissions, client_retransmissions, server_duplicate_acks, client_duplicate_acks,
      out_of_order, beyond_window);
}

void CleanPath::note(const SegmentSeen& seen, std::uint64_t& count, std::string_view what) {
  ++count;
  if (notes_.size() < 12) {
    notes_.push_back(fmt::format("{} us {}: {}", to_microseconds(seen.at.time_since_epoch()), what,
                                 seen.segment.to_string()));
  }
}

void CleanPath::on_segment(const SegmentSeen& seen) {
  State& state = states_[seen.flow.number];
  if (seen.point == Crossing::Point::kDelivered) return on_delivered(seen, state);
  const Segment& segment = seen.segment;
  if (seen.point != Crossing::Point::kSent || segment.has(Segment::kRst)) return;
  Side& mine = seen.to_client ? state.server : state.client;
  Side& other = seen.to_client ? state.client : state.server;
  const std::uint32_t end = segment.seq + segment.length();
  if (segment.has(Segment::kSyn)) {
    if (!seen.to_client) ++counts_.client_syns;
    if (!seen.to_client && !mine.end) ++counts_.connections;
  } else if (segment.length() > 0 && mine.end && before(segment.seq, *mine.end)) {
    note(seen, seen.to_client ? counts_.server_retransmissions : counts_.client_retransmissions,
         "retransmission");
  }
  // RFC 5681 section 2.
  if (segment.length() == 0 && mine.ack == segment.ack && mine.window == segment.window &&
      other.end && before(segment.ack, *other.end) && segment.seq == mine.end) {
    note(seen, seen.to_client ? counts_.server_duplicate_acks : counts_.client_duplicate_acks,
         "duplicate ACK");
  }
  check_window(seen, state);
  if (!mine.end || before(*mine.end, end)) mine.end = end;
  if (segment.has(Segment::kAck)) mine.ack = segment.ack;
  mine.window = segment.window;
}

void CleanPath::check_window(const SegmentSeen& seen, State& state) {
  const Segment& segment = seen.segment;
  if (!seen.to_client) {
    if (!segment.has(Segment::kAck)) return;
    const std::uint32_t edge =
        segment.ack + (std::uint32_t{segment.window} << seen.flow.client_scale);
    if (!state.client.edge || before(*state.client.edge, edge)) state.client.edge = edge;
    return;
  }
  // A window probe may put one byte beyond the edge (RFC 9293 3.8.6.1).
  const std::uint32_t end = segment.seq + static_cast<std::uint32_t>(segment.payload.size());
  if (state.client.edge && before(*state.client.edge + 1, end)) {
    note(seen, counts_.beyond_window, "beyond the window");
  }
}

void CleanPath::on_delivered(const SegmentSeen& seen, State& state) {
  if (!seen.to_client || seen.segment.length() == 0) return;
  const std::uint32_t end = seen.segment.seq + seen.segment.length();
  if (state.expected && before(*state.expected, seen.segment.seq)) {
    note(seen, counts_.out_of_order, "out of order");
  }
  if (!state.expected || before(*state.expected, end)) state.expected = end;
}

void CleanPath::at_end(Instant at) {
  if (!control_) return;
  const FlowCounts& c = *control_;
  const FlowCounts& m = counts_;
  if (m.server_retransmissions <= c.server_retransmissions &&
      m.client_retransmissions <= c.client_retransmissions &&
      m.server_duplicate_acks <= c.server_duplicate_acks &&
      m.client_duplicate_acks <= c.client_duplicate_acks && m.out_of_order <= c.out_of_order &&
      m.client_syns <= c.client_syns && m.beyond_window <= c.beyond_window) {
    return;
  }
  std::string what = fmt::format("{}; without migrations: {}", m.to_string(), c.to_string());
  for (const std::string& line : notes_)
    what += "\n      " + line;
  report(at, what);
}

}  // namespace migd::sim
