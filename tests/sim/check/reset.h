// Invariants 3 and 6: the client sees no RST, and no SYN but the answer to its own. Nor does who
// has no connection at all: a node that knows none drops.
#pragma once

#include <set>

#include "tests/sim/check/checker.h"

namespace migd::sim {

class ResetChecker : public Checker {
 public:
  ResetChecker() : Checker("reset") {}

  void on_segment(const SegmentSeen& seen) override {
    if (!seen.to_client || seen.point != Crossing::Point::kSent) return;
    const Segment& segment = seen.segment;
    if (segment.has(Segment::kRst)) return report(seen.at, "RST: " + segment.to_string());
    if (!segment.has(Segment::kSyn)) {
      established_.insert(seen.flow.number);
    } else if (!segment.has(Segment::kAck) || established_.contains(seen.flow.number) ||
               seen.flow.server_isn != segment.seq) {
      report(seen.at, "a second handshake: " + segment.to_string());
    }
  }

  void on_stray(const Crossing& crossing, bool to_client) override {
    if (to_client && crossing.point == Crossing::Point::kSent) {
      report(crossing.at, "an answer to a stranger: " + crossing.tcp->to_string());
    }
  }

 private:
  std::set<std::size_t> established_;
};

}  // namespace migd::sim
