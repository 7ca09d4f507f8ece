// Invariant 4: after a migration that was refused or given up, the connection goes on at the
// source. What it says then is judged by the other checkers; this one sees to it that it speaks.
#pragma once

#include <map>

#include "tests/sim/check/checker.h"

namespace migd::sim {

class Resumption : public Checker {
 public:
  Resumption() : Checker("resumption") {}
  void on_segment(const SegmentSeen& seen) override;
  void on_message(PortId node, Instant at, const Message& message) override;
  void on_crash(PortId node, Instant at) override;
  void at_end(Instant at) override;

 private:
  struct Awaited {
    PortId source;
    Instant since;
    Instant asked_at = kNever;  // when the client first said something after that
  };
  std::map<ConnectionId, FourTuple> tuples_;
  std::map<FourTuple, Awaited> awaited_;
};

}  // namespace migd::sim
