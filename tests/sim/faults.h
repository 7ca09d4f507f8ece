// What can happen to a node of the cluster, and when.
#pragma once

#include <string>

#include "tests/sim/cluster.h"

namespace migd::sim {

enum class Fault {
  kCrash,
  kCrashAndRestart,  // after 1.5 s, under a new boot
  kStopThenKill,     // stopped for 1 s first
  kStopBriefly,      // SIGSTOP; goes on after 200 ms
  kStopForLong,      // after 12 s: its sessions are over
  kPartitionBriefly,
  kPartition,  // from everybody, for 8 s: its sessions are over
};
std::string to_string(Fault fault);

// Whether the process has ended and does not come back by itself.
inline bool is_final(Fault fault) {
  return fault == Fault::kCrash || fault == Fault::kStopThenKill;
}

enum class Moment {
  kAtOnce,     // nothing that it was about to send gets out, nor what it has just sent
  kJustAfter,  // what it sends in this instant gets out
};

// Does it to `machine`, from inside of a bus callback as well: the process's part is done when the
// callback has returned.
void apply(SimCluster& cluster, SimMachine& machine, Fault fault, Moment moment = Moment::kAtOnce);

}  // namespace migd::sim
