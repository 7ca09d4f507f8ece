// The program's command line: parses it and runs the command.
#pragma once

#include <functional>
#include <iosfwd>

#include "cli/commands/command.h"

namespace migd {

// The daemon itself is passed in, so that the command line can be tested without one.
using RunDaemon = std::function<int(const RunOptions&, Console&)>;

// Returns the exit code. Writes to `out` and `err` only.
int run_cli(int argc, const char* const* argv, std::ostream& out, std::ostream& err,
            const RunDaemon& run_daemon);

}  // namespace migd
