// How much memory the process has: what a table costs, whatever it is made of.
#pragma once

#include <malloc.h>
#include <unistd.h>

#include <cstdio>

#include "bench/support/system.h"

namespace migd::bench {

class ResidentMemory {
 public:
  // Bytes since this was made.
  double grown() const { return now() - before_; }

 private:
  static double now() {
    malloc_trim(0);  // what was used for a moment only
    long pages = 0, resident = 0;
    std::FILE* const file = std::fopen("/proc/self/statm", "r");
    check(file != nullptr && std::fscanf(file, "%ld %ld", &pages, &resident) == 2 ? 0 : -1,
          "/proc/self/statm");
    std::fclose(file);
    return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
  }

  const double before_ = now();
};

}  // namespace migd::bench
