#include "base/random.h"

#include <sodium.h>

#include <algorithm>

namespace migd {

SystemRng::~SystemRng() {
  sodium_memzero(page_.data(), page_.size());
}

void SystemRng::fill(MutableBytes out) {
  if (out.size() > page_.size()) return randombytes_buf(out.data(), out.size());
  if (out.size() > page_.size() - used_) {
    randombytes_buf(page_.data(), page_.size());
    used_ = 0;
  }
  const MutableBytes taken = MutableBytes(page_).subspan(used_, out.size());
  std::copy(taken.begin(), taken.end(), out.begin());
  sodium_memzero(taken.data(), taken.size());
  used_ += taken.size();
}

}  // namespace migd
