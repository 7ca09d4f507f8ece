// A finding ends the run of the fuzzer, which keeps the input.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

namespace migd::fuzz {

[[noreturn]] inline void finding(const std::string& what) {
  std::fprintf(stderr, "finding: %s\n", what.c_str());
  std::abort();
}

// Nothing is put together for what holds.
#define MIGD_FUZZ_HOLDS(condition, what)           \
  do {                                             \
    if (!(condition)) ::migd::fuzz::finding(what); \
  } while (false)

}  // namespace migd::fuzz
