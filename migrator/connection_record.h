// What a node remembers of a connection besides its PCB.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"
#include "base/time.h"
#include "migrator/blob.h"
#include "migrator/suspended.h"
#include "stack/connection.h"

namespace migd {

struct ConnectionRecord {
  NodeId forwarder;     // whose mapping brings its packets here; 0: none that we know of
  MoveHistory history;  // ages as they were at `as_of`
  Instant as_of;

  // ---- while no application has it ----
  std::string intended;        // came in half-open: who gets it after the handshake
  bool kept = false;           // until somebody binds it; no classifier's
  std::uint8_t forwarded = 0;  // how often it has moved unbound
  SuspendedStates suspended;   // of those that had it; also while another one has it

  // It says nothing that its absence would not.
  bool empty() const {
    return forwarder == NodeId{} && history.moves.empty() && history.older == 0 &&
           intended.empty() && !kept && forwarded == 0 && suspended.empty();
  }
};

// Its history as it is now, with what the stack knows since the latest move: what a trace says, and
// what travels with the next move.
MoveHistory history_of(const ConnectionRecord& record, const Connection& connection, Instant now);

}  // namespace migd
