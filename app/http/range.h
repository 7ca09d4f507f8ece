// The Range field (RFC 9110 section 14.2), one range of bytes.
#pragma once

#include <cstdint>
#include <string_view>

namespace migd {

struct RangeAnswer {
  enum class Kind {
    kWhole,          // no range that we understand: as if there were none
    kPart,           // the bytes [first, end)
    kUnsatisfiable,  // it begins behind the last byte
  };
  Kind kind = Kind::kWhole;
  std::uint64_t first = 0, end = 0;
  bool operator==(const RangeAnswer&) const = default;
};

RangeAnswer resolve_range(std::string_view field, std::uint64_t size_bytes);

}  // namespace migd
