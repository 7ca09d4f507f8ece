// A fuzzer's input, read from the front: whatever is asked for behind its end is zero, so every
// input means something.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/bytes.h"

namespace migd::fuzz {

class Input {
 public:
  explicit Input(ByteView bytes) : rest_(bytes) {}

  bool empty() const { return rest_.empty(); }
  std::uint8_t u8() {
    if (rest_.empty()) return 0;
    const std::uint8_t byte = rest_.front();
    rest_ = rest_.subspan(1);
    return byte;
  }
  std::uint16_t u16() {
    const unsigned high = u8();
    return static_cast<std::uint16_t>(high << 8 | u8());
  }
  std::uint32_t u32() {
    const std::uint32_t high = u16();
    return high << 16 | u16();
  }
  std::uint64_t u64() {
    const std::uint64_t high = u32();
    return high << 32 | u32();
  }
  bool flag() { return (u8() & 1) != 0; }
  // In [0, bound); of one byte.
  std::uint8_t below(std::uint8_t bound) { return static_cast<std::uint8_t>(u8() % bound); }
  // Any size with few bytes: small ones finely, large ones coarsely. At most 255 << 15.
  std::uint32_t size() {
    const std::uint8_t shift = below(16);
    return std::uint32_t{u8()} << shift;
  }
  ByteView bytes(std::size_t n) {
    const ByteView taken = rest_.first(std::min(n, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  ByteView rest() { return bytes(rest_.size()); }

 private:
  ByteView rest_;
};

}  // namespace migd::fuzz
