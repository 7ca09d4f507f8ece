// Numbers that have nothing to do with each other, the same in every run.
#pragma once

#include <cstdint>

namespace migd::bench {

// splitmix64
class Random {
 public:
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::uint32_t u32() { return static_cast<std::uint32_t>(next()); }

 private:
  std::uint64_t state_ = 1;
};

}  // namespace migd::bench
