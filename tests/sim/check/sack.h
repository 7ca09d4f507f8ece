// Invariant 3: what was selectively acknowledged is kept until it is cumulatively acknowledged.
// Two ways give a reneging server away. Its cumulative ACK stops inside, or at the left edge, of a
// range that it had: with the range in hand it would have gone on to the range's end. Or a pure ACK
// with room for more blocks leaves out a range that the last ones named; what once did not fit need
// not be named again (RFC 2018 section 4).
#pragma once

#include <map>

#include "tests/sim/check/checker.h"

namespace migd::sim {

class SackChecker : public Checker {
 public:
  SackChecker() : Checker("sack") {}
  void on_segment(const SegmentSeen& seen) override;

 private:
  using Ranges = std::map<std::uint64_t, std::uint64_t>;  // offsets from the client's ISN
  struct State {
    Ranges held;                 // announced, and not yet acknowledged cumulatively
    Ranges said;                 // those of them that are to be named again
    std::uint64_t sent_end = 0;  // of the server, as an offset from its ISN
  };
  static void add(Ranges& ranges, std::uint64_t left, std::uint64_t right);
  void check_blocks(const SegmentSeen& seen, State& state);

  std::map<std::size_t, State> states_;
};

}  // namespace migd::sim
