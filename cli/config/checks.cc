#include "cli/config/checks.h"

#include <algorithm>
#include <cctype>

namespace migd {
namespace {

bool is_alphanumeric(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

}  // namespace

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 63 && is_alphanumeric(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

bool is_device_name(std::string_view text) {
  return !text.empty() && text.size() <= 15 && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c != '/' && c != ':' && c != 0x7f; });
}

bool is_unicast(const IpAddress& address) {
  if (address.is_unspecified()) return false;
  const ByteView bytes = address.bytes();
  if (address.is_v4()) return bytes[0] != 0 && bytes[0] != 127 && bytes[0] < 224;
  const bool loopback = bytes[15] == 1 && std::all_of(bytes.begin(), bytes.end() - 1,
                                                      [](std::uint8_t b) { return b == 0; });
  return !loopback && bytes[0] != 0xff;
}

std::string expected_got(std::string_view expected, std::string_view got) {
  return "expected " + std::string(expected) + ", got '" + std::string(got) + "'";
}

}  // namespace migd
