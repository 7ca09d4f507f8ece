// The only source of randomness that engines see. The daemon's is libsodium's; the simulator's is
// seeded.
#pragma once

#include <array>
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

// Takes from the system in pages: a connection needs 8 bytes, and a system call for them would cost
// more than the connection's hash. What was given out is erased.
class SystemRng : public Rng {
 public:
  SystemRng() = default;
  ~SystemRng() override;
  SystemRng(const SystemRng&) = delete;
  SystemRng& operator=(const SystemRng&) = delete;
  void fill(MutableBytes out) override;

 private:
  std::array<std::uint8_t, 1024> page_{};
  std::size_t used_ = page_.size();
};

}  // namespace migd
