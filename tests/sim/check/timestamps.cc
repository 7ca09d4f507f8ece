#include "tests/sim/check/timestamps.h"

#include <fmt/format.h>

namespace migd::sim {
namespace {

// RFC 7323 5.4 asks for at most one tick a millisecond; low bits that name the owner may add their
// range once a tick. A leap over this rate would shorten what PAWS protects.
constexpr std::int64_t kTicksPerMillisecondMax = 128;

}  // namespace

void TimestampChecker::on_segment(const SegmentSeen& seen) {
  if (seen.point != Crossing::Point::kSent) return;
  State& state = states_[seen.flow.number];
  if (seen.to_client) return check(seen, state);
  const auto& stamps = seen.segment.timestamps;
  if (stamps && (!state.client_value || before(*state.client_value, stamps->value))) {
    state.client_value = stamps->value;
  }
}

void TimestampChecker::check(const SegmentSeen& seen, State& state) {
  const Segment& segment = seen.segment;
  const auto wrong = [&](std::string_view what) {
    report(seen.at, fmt::format("{}: {}", what, segment.to_string()));
  };
  if (segment.has(Segment::kRst)) return;
  if (segment.timestamps.has_value() != seen.flow.timestamps) {
    return wrong(segment.timestamps ? "not negotiated, but there" : "negotiated, but missing");
  }
  if (!segment.timestamps) return;
  const Segment::Timestamps now = *segment.timestamps;
  if (state.last) {
    if (before(now.value, state.last->value)) {
      wrong(fmt::format("TSval goes back from {}", state.last->value));
    }
    const std::int64_t passed_ms = to_milliseconds(seen.at - state.last_at) + 2;
    if (static_cast<std::int32_t>(now.value - state.last->value) >
        passed_ms * kTicksPerMillisecondMax) {
      wrong(fmt::format("TSval leaps from {} in {} ms", state.last->value, passed_ms - 2));
    }
    if (before(now.echo, state.last->echo)) {
      wrong(fmt::format("TSecr goes back from {}", state.last->echo));
    }
  }
  if (state.client_value && before(*state.client_value, now.echo)) {
    wrong("TSecr was never sent by the client");
  }
  if (!state.last) {
    state.first = now;
    state.first_at = seen.at;
  }
  // About one unit a millisecond (RFC 7323 5.4); the time on the way may be missing.
  const std::int64_t age_ms = to_milliseconds(seen.at - state.first_at - late_);
  if (static_cast<std::int32_t>(now.value - state.first.value) < age_ms / 4 - 500) {
    wrong(fmt::format("TSval hardly moves, {} was sent {} ms ago", state.first.value, age_ms));
  }
  state.last = now;
  state.last_at = seen.at;
}

}  // namespace migd::sim
