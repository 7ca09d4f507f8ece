// TCP sequence numbers (RFC 9293 section 3.4): 32 bits, compared modulo 2^32.
#pragma once

#include <compare>
#include <cstdint>

namespace migd {

class SeqNum {
 public:
  constexpr SeqNum() = default;
  constexpr explicit SeqNum(std::uint32_t value) : value_(value) {}

  constexpr std::uint32_t value() const { return value_; }

  constexpr SeqNum operator+(std::uint32_t n) const { return SeqNum(value_ + n); }
  constexpr SeqNum operator-(std::uint32_t n) const { return SeqNum(value_ - n); }
  constexpr SeqNum& operator+=(std::uint32_t n) {
    value_ += n;
    return *this;
  }
  // Signed distance; right as long as the two lie within 2^31 of each other.
  constexpr std::int32_t operator-(SeqNum other) const {
    return static_cast<std::int32_t>(value_ - other.value_);
  }

  constexpr bool operator==(const SeqNum&) const = default;
  constexpr bool operator<(SeqNum o) const { return *this - o < 0; }
  constexpr bool operator>(SeqNum o) const { return o < *this; }
  constexpr bool operator<=(SeqNum o) const { return *this - o <= 0; }
  constexpr bool operator>=(SeqNum o) const { return o <= *this; }

  // True when *this lies in [first, first + length).
  constexpr bool in_window(SeqNum first, std::uint32_t length) const {
    return value_ - first.value_ < length;
  }

 private:
  std::uint32_t value_ = 0;
};

}  // namespace migd
