// Invariant 3: the server's TSval never goes back nor leaps nor stands still, its TSecr never goes
// back and names a value that the client has sent, and every segment carries the option exactly
// when it was negotiated (RFC 7323 3.2).
#pragma once

#include <map>
#include <optional>

#include "tests/sim/check/checker.h"

namespace migd::sim {

class TimestampChecker : public Checker {
 public:
  TimestampChecker() : Checker("timestamps") {}
  void on_segment(const SegmentSeen& seen) override;
  // A state that waits before a stopped process cannot know for how long it did: its timestamps
  // are late by that.
  void forgive(Duration late) { late_ = late; }

 private:
  struct State {
    std::optional<Segment::Timestamps> last;
    Instant last_at{};
    Segment::Timestamps first;
    Instant first_at{};
    std::optional<std::uint32_t> client_value;  // the newest the client sent
  };
  void check(const SegmentSeen& seen, State& state);

  Duration late_{};
  std::map<std::size_t, State> states_;
};

}  // namespace migd::sim
