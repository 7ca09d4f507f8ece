// Invariant 2, on the wire: the server's stream has no hole and never contradicts itself (each
// sequence number stands for one byte, whoever sends it), stays within the segment size that the
// client announced, and nothing follows its FIN.
#pragma once

#include <map>
#include <optional>

#include "tests/sim/check/checker.h"

namespace migd::sim {

class SequenceChecker : public Checker {
 public:
  SequenceChecker() : Checker("sequence") {}
  void on_segment(const SegmentSeen& seen) override;

 private:
  struct State {
    Bytes stream;
    std::optional<std::size_t> fin_at;  // as an offset in the stream
  };
  void check(const SegmentSeen& seen, State& state);

  std::map<std::size_t, State> states_;
};

}  // namespace migd::sim
