// Checks for programming errors. They stay on in every build: a node that has lost an invariant
// must not go on moving connections. Bytes from the network and operating errors never get here;
// those are verdicts and Result values.
#pragma once

namespace migd {

// Prints the failed condition with its place, hands over what the log still holds, and aborts the
// process.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace migd

#define MIGD_CHECK(condition)                                               \
  do {                                                                      \
    if (!(condition)) ::migd::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
