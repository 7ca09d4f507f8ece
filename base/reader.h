// Bounded reading and writing of big-endian integers and byte ranges. Every byte that comes from
// outside is read through BoundedReader: it cannot leave its view, and the first read that would
// sets a sticky failure after which every further read yields zero, so a parser may read a whole
// header and ask ok() once. ByteWriter is its twin for what we send.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace migd {

class BoundedReader {
 public:
  explicit BoundedReader(ByteView bytes) : rest_(bytes) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(integer(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(integer(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(integer(4)); }
  std::uint64_t u64() { return integer(8); }

  // The next n bytes, or an empty view and failure when fewer are left.
  ByteView bytes(std::size_t n) {
    if (n > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    ByteView taken = rest_.first(n);
    rest_ = rest_.subspan(n);
    return taken;
  }

  void skip(std::size_t n) { bytes(n); }
  ByteView rest() const { return rest_; }
  std::size_t remaining() const { return rest_.size(); }
  bool ok() const { return ok_; }
  // Everything was read, and nothing was missing.
  bool finished() const { return ok_ && rest_.empty(); }

 private:
  std::uint64_t integer(std::size_t width) {
    std::uint64_t value = 0;
    for (std::uint8_t byte : bytes(width))
      value = value << 8 | byte;
    return value;
  }

  ByteView rest_;
  bool ok_ = true;
};

}  // namespace migd
