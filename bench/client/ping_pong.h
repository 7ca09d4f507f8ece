// A client of the kernel's TCP that sends 64 bytes, waits for their echo, and so on, while another
// thread has its connection moved. What counts of a move is the longest round trip that was under
// way between the request and its answer. The next move is asked for when a whole round trip has
// passed since.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/client/mover.h"

namespace migd::bench {

struct PingPongOptions {
  std::string server;  // ADDRESS:PORT
  int client_processor = -1;
  int mover_processor = -1;
  std::uint32_t moves = 0;
  std::uint32_t pause_us = 0;  // between two moves, on average
  double least_seconds = 0;    // it lasts for so long, and until all moves are done
};

// Runs it and prints its result, one line of JSON. `mover` may be null.
int ping_pong(const PingPongOptions& options, Mover* mover);

}  // namespace migd::bench
