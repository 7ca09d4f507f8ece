// Invariant 3: what was selectively acknowledged is kept until it is cumulatively acknowledged.
// Two ways give a reneging server away. Its cumulative ACK stops inside, or at the left edge, of a
// range that it had: with the range in hand it would have gone on to the range's end. Or a pure ACK
// with room for more blocks leaves such a range out.
#pragma once

#include <map>

#include "tests/sim/check/checker.h"

namespace migd::sim {

class SackChecker : public Checker {
 public:
  SackChecker() : Checker("sack") {}
  void on_segment(const SegmentSeen& seen) override;

 private:
  struct State {
    std::map<std::uint64_t, std::uint64_t> ranges;  // announced; offsets from the client's ISN
    std::uint64_t sent_end = 0;                     // of the server, as an offset from its ISN
    std::uint64_t client_end = 1;
  };
  void add(State& state, std::uint64_t left, std::uint64_t right);
  void check_blocks(const SegmentSeen& seen, State& state);

  std::map<std::size_t, State> states_;
};

}  // namespace migd::sim
