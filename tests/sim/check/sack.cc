#include "tests/sim/check/sack.h"

#include <fmt/format.h>

#include <algorithm>

namespace migd::sim {

void SackChecker::add(Ranges& ranges, std::uint64_t left, std::uint64_t right) {
  auto it = ranges.upper_bound(left);
  if (it != ranges.begin() && std::prev(it)->second >= left) {
    --it;
    left = it->first;
  }
  while (it != ranges.end() && it->first <= right) {
    right = std::max(right, it->second);
    it = ranges.erase(it);
  }
  ranges[left] = right;
}

void SackChecker::on_segment(const SegmentSeen& seen) {
  const Segment& segment = seen.segment;
  if (seen.point != Crossing::Point::kSent || !segment.has(Segment::kAck)) return;
  if (!seen.to_client || segment.has(Segment::kRst) || segment.has(Segment::kSyn)) return;
  State& state = states_[seen.flow.number];
  const std::uint32_t ack = segment.ack - seen.flow.client_isn;
  for (const auto& [left, right] : state.held) {
    if (left <= ack && ack < right) {
      report(seen.at, fmt::format("acknowledges up to {}, although it had {} to {}: {}", ack, left,
                                  right, segment.to_string()));
    }
  }
  for (Ranges* ranges : {&state.held, &state.said}) {
    std::erase_if(*ranges, [&](const auto& range) { return range.second <= ack; });
  }
  if (segment.block_count > 0 && !seen.flow.sack) {
    report(seen.at, "SACK was not negotiated: " + segment.to_string());
  }
  check_blocks(seen, state);
  const std::uint32_t end = segment.seq + segment.length() - seen.flow.server_isn.value_or(0);
  state.sent_end = std::max<std::uint64_t>(state.sent_end, end);
}

void SackChecker::check_blocks(const SegmentSeen& seen, State& state) {
  const Segment& segment = seen.segment;
  Ranges announced;
  for (std::size_t i = 0; i < segment.block_count; ++i) {
    const std::uint32_t left = segment.blocks[i].left - seen.flow.client_isn;
    const std::uint32_t right = segment.blocks[i].right - seen.flow.client_isn;
    if (left >= right) {
      report(seen.at, "a SACK block that is none: " + segment.to_string());
      continue;
    }
    if (right <= segment.ack - seen.flow.client_isn) continue;  // RFC 2883: a duplicate
    add(announced, left, right);
  }
  // Probes and keep-alives (one below SND.NXT) and data need not carry blocks.
  const std::uint32_t at = segment.seq - seen.flow.server_isn.value_or(0);
  const bool bare = segment.payload.empty() && at >= state.sent_end;
  const std::size_t room = seen.flow.timestamps ? 3 : 4;
  if (segment.block_count >= room) {
    state.said.clear();  // what did not fit may be forgotten
  } else if ((bare || segment.block_count > 0) && seen.flow.sack) {
    for (const auto& [left, right] : state.said) {
      const auto it = announced.upper_bound(left);
      if (it == announced.begin() || std::prev(it)->second < right) {
        report(seen.at, fmt::format("had {} to {}, and does not say so any more: {}", left, right,
                                    segment.to_string()));
      }
    }
  }
  for (const auto& [left, right] : announced) {
    add(state.held, left, right);
    add(state.said, left, right);
  }
}

}  // namespace migd::sim
