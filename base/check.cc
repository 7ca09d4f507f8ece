#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace migd {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "migd: check failed at %s:%d: %s\n", file, line, condition);
  std::fflush(nullptr);  // the log's last lines, too
  std::abort();
}

}  // namespace migd
