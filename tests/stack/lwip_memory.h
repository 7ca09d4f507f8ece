// Refuses lwIP memory, to see what it does without.
#pragma once

#include "stack/lwip_headers.h"

namespace migd::test {

// While one is there, what lwIP asks for of this type is refused, and counted. One at a time.
class RefusedMemory {
 public:
  explicit RefusedMemory(memp_t type);
  ~RefusedMemory();
  RefusedMemory(const RefusedMemory&) = delete;
  RefusedMemory& operator=(const RefusedMemory&) = delete;
  static int count();
};

}  // namespace migd::test
