// The daemon: one node with a real device, clock and admin socket.
#pragma once

#include "cli/commands/command.h"
#include "cli/config.h"

namespace migd {

// `migd run`: until SIGTERM or SIGINT. Returns the exit code; a failure before all is up is one
// line on console.err, and nothing is left of the attempt.
int run_daemon(const RunOptions& options, Console& console);

}  // namespace migd
