// Invariant 3 on a path that neither loses nor reorders: counts, from the wire, of everything that
// such a path should not see, to be compared with those of the same run without migrations.
#pragma once

#include <map>
#include <optional>

#include "tests/sim/check/checker.h"

namespace migd::sim {

struct FlowCounts {
  std::uint64_t connections = 0;
  std::uint64_t client_syns = 0;
  std::uint64_t server_retransmissions = 0, client_retransmissions = 0;
  std::uint64_t server_duplicate_acks = 0, client_duplicate_acks = 0;
  std::uint64_t out_of_order = 0;  // at the client
  std::uint64_t beyond_window =
      0;  // sent by the server. On a path that reorders, RFC 9293 3.10.7.4
          // itself lets a sender believe in too large a window

  std::string to_string() const;
};

class CleanPath : public Checker {
 public:
  CleanPath() : Checker("clean_path") {}
  void on_segment(const SegmentSeen& seen) override;

  // Judges at the end of the run against those of the control.
  void set_control(const FlowCounts& control) { control_ = control; }
  void at_end(Instant at) override;
  const FlowCounts& counts() const { return counts_; }

 private:
  struct Side {
    std::optional<std::uint32_t> end;  // behind the last byte that it sent
    std::optional<std::uint32_t> ack;
    std::uint16_t window = 0;
    std::optional<std::uint32_t> edge;  // right edge of the window that it announced
  };
  struct State {
    Side client, server;
    std::optional<std::uint32_t> expected;  // by the client, in the order of delivery
  };
  void check_window(const SegmentSeen& seen, State& state);
  void on_delivered(const SegmentSeen& seen, State& state);
  void note(const SegmentSeen& seen, std::uint64_t& count, std::string_view what);

  std::map<std::size_t, State> states_;
  FlowCounts counts_;
  std::optional<FlowCounts> control_;
  std::vector<std::string> notes_;  // the first few, to explain a violation
};

}  // namespace migd::sim
