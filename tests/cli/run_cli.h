// Runs the program's command line in this process.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "cli/command_line.h"

namespace migd {

struct CliResult {
  int exit_code = 0;
  std::string out;
  std::string err;
};

inline CliResult run_migd(
    const std::vector<std::string>& arguments,
    const RunDaemon& run_daemon = [](const RunOptions&, Console&) { return 99; }) {
  std::vector<const char*> argv = {"migd"};
  for (const std::string& argument : arguments)
    argv.push_back(argument.c_str());
  std::ostringstream out, err;
  const int exit_code = run_cli(static_cast<int>(argv.size()), argv.data(), out, err, run_daemon);
  return {exit_code, out.str(), err.str()};
}

inline std::size_t line_count(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace migd
