// Invariants 5 and 7, between the nodes: what an earlier owner passes on is never a SYN that begins
// another connection (it goes to whoever classifies), and no packet is passed on without end. Reads
// format B by itself (forwarder/gue.h has the picture).
#pragma once

#include <map>
#include <set>

#include "tests/sim/check/checker.h"

namespace migd::sim {

class Stragglers : public Checker {
 public:
  Stragglers() : Checker("stragglers") {}
  // To whom a SYN is given back, to be classified.
  void add_forwarder(PortId port) { forwarders_.insert(port); }
  void on_segment(const SegmentSeen& seen) override;
  void on_message(PortId node, Instant at, const Message& message) override;
  void on_crossing(const Crossing& crossing) override;

 private:
  std::set<PortId> forwarders_;
  std::map<FourTuple, std::uint32_t> newest_syn_;  // sequence number of the client's latest
  std::map<FourTuple, std::uint32_t> opened_by_;   // of the one that the connection began with
};

}  // namespace migd::sim
