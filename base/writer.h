// ByteWriter: appends big-endian integers and byte ranges to a Bytes. See base/reader.h.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"

namespace migd {

class ByteWriter {
 public:
  explicit ByteWriter(Bytes& out) : out_(out) {}

  void u8(std::uint8_t v) { integer(v, 1); }
  void u16(std::uint16_t v) { integer(v, 2); }
  void u32(std::uint32_t v) { integer(v, 4); }
  void u64(std::uint64_t v) { integer(v, 8); }
  void bytes(ByteView v) { append(out_, v); }

  std::size_t size() const { return out_.size(); }

  // Reserves a 16/32-bit length field to be filled in by set_u16/set_u32 once it is known.
  std::size_t reserve(std::size_t width) {
    std::size_t at = out_.size();
    out_.resize(at + width);
    return at;
  }
  void set_u16(std::size_t at, std::uint16_t v) { store(at, v, 2); }
  void set_u32(std::size_t at, std::uint32_t v) { store(at, v, 4); }

 private:
  void integer(std::uint64_t v, std::size_t width) { store(reserve(width), v, width); }
  void store(std::size_t at, std::uint64_t v, std::size_t width) {
    MIGD_CHECK(at + width <= out_.size());
    for (std::size_t i = width; i-- > 0; v >>= 8)
      out_[at + i] = static_cast<std::uint8_t>(v);
  }

  Bytes& out_;
};

}  // namespace migd
