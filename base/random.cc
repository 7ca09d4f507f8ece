#include "base/random.h"

#include <sodium.h>

namespace migd {

void SystemRng::fill(MutableBytes out) {
  randombytes_buf(out.data(), out.size());
}

}  // namespace migd
