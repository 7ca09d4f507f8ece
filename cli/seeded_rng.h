// Randomness that repeats itself, for the fault injector: the same seed, the same faults.
#pragma once

#include <cstdint>

#include "base/random.h"

namespace migd {

class SeededRng : public Rng {
 public:
  SeededRng(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}
  void fill(MutableBytes out) override;

 private:
  const std::uint64_t seed_;
  const std::uint64_t stream_;  // streams of one seed are independent
  std::uint64_t draws_ = 0;
};

}  // namespace migd
