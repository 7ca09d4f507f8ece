// Invariant 3: the acknowledgement number never goes back and never runs ahead of what the client
// sent (AckChecker); the right edge of the announced window never shrinks (WindowChecker). With
// window scaling the edge may lie up to one unit of the scale back: the field cannot say it finer
// (RFC 7323 2.4).
#pragma once

#include <map>
#include <optional>

#include "tests/sim/check/checker.h"

namespace migd::sim {

class AckChecker : public Checker {
 public:
  AckChecker() : Checker("ack") {}
  void on_segment(const SegmentSeen& seen) override;

 private:
  struct State {
    std::optional<std::uint32_t> ack;
    std::optional<std::uint32_t> client_end;  // behind the last byte that the client sent
  };
  std::map<std::size_t, State> states_;
};

class WindowChecker : public Checker {
 public:
  WindowChecker() : Checker("window") {}
  void on_segment(const SegmentSeen& seen) override;

 private:
  std::map<std::size_t, std::uint32_t> edges_;
};

}  // namespace migd::sim
