// What a node remembers of a connection besides its PCB.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "migrator/suspended.h"

namespace migd {

struct ConnectionRecord {
  NodeId forwarder;  // whose mapping brings its packets here; 0: none that we know of
  struct Move {
    NodeId from, to;
    Epoch epoch;
    Instant active_since;
  };
  std::vector<Move> past_moves;

  // ---- while no application has it ----
  std::string intended;        // came in half-open: who gets it after the handshake
  bool kept = false;           // until somebody binds it; no classifier's
  std::uint8_t forwarded = 0;  // how often it has moved unbound
  SuspendedStates suspended;   // of those that had it; also while another one has it
};

}  // namespace migd
