// How much of the heap is in use: what a table costs, whatever the allocator gives back when.
#pragma once

#include <malloc.h>

namespace migd::bench {

class Heap {
 public:
  // Bytes since this was made.
  double grown() const { return in_use() - before_; }

 private:
  static double in_use() {
    const struct mallinfo2 heap = mallinfo2();
    return static_cast<double>(heap.uordblks) + static_cast<double>(heap.hblkhd);
  }

  const double before_ = in_use();
};

}  // namespace migd::bench
