// Small questions about the text of HTTP (RFC 9110 section 5.6).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace migd {

inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
inline bool is_control(char c) {
  const auto byte = static_cast<std::uint8_t>(c);
  return byte < 0x20 || byte == 0x7f;
}
bool is_token_char(char c);
bool is_token(std::string_view text);                             // not empty
bool equal_without_case(std::string_view a, std::string_view b);  // ASCII
std::string_view trim(std::string_view text);                     // spaces and tabs, both ends
std::optional<unsigned> hex_digit(char c);
// Decimal digits and nothing else, at most UINT64_MAX.
std::optional<std::uint64_t> parse_decimal(std::string_view text);

}  // namespace migd
