// The only source of randomness that engines see. The daemon's is libsodium's; the simulator's is
// seeded.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace migd {

class Rng {
 public:
  virtual ~Rng() = default;
  virtual void fill(MutableBytes out) = 0;

  std::uint64_t u64() {
    std::uint8_t raw[8];
    fill(raw);
    std::uint64_t value = 0;
    for (std::uint8_t byte : raw)
      value = value << 8 | byte;
    return value;
  }
};

class SystemRng : public Rng {
 public:
  void fill(MutableBytes out) override;
};

}  // namespace migd
