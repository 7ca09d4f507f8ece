#include "app/http/target.h"

#include "app/http/text.h"

namespace migd {
namespace {

constexpr std::size_t kPathMax = 4095;  // as the operating system has it

// The path and query of origin-form or absolute-form; empty when it is neither.
std::string_view origin_form(std::string_view target) {
  if (!target.empty() && target.front() == '/') return target;
  const std::size_t scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos) return {};
  const std::string_view scheme = target.substr(0, scheme_end);
  if (!equal_without_case(scheme, "http") && !equal_without_case(scheme, "https")) return {};
  const std::string_view rest = target.substr(scheme_end + 3);
  const std::size_t path = rest.find_first_of("/?#");
  if (path == 0) return {};  // no authority
  if (path == std::string_view::npos || rest[path] != '/') return "/";
  return rest.substr(path);
}

tl::expected<std::string, HttpStatus> decode(std::string_view part) {
  std::string decoded;
  for (std::size_t i = 0; i < part.size(); ++i) {
    char c = part[i];
    if (c == '%') {
      const auto high = i + 1 < part.size() ? hex_digit(part[i + 1]) : std::nullopt;
      const auto low = i + 2 < part.size() ? hex_digit(part[i + 2]) : std::nullopt;
      if (!high || !low) return tl::unexpected(HttpStatus::kBadRequest);
      c = static_cast<char>(*high * 16 + *low);
      i += 2;
    }
    if (is_control(c) || c == '/') return tl::unexpected(HttpStatus::kBadRequest);
    decoded += c;
  }
  return decoded;
}

void append_part(std::string& path, const std::string& part) {
  if (!path.empty()) path += '/';
  path += part;
}

}  // namespace

tl::expected<TargetPath, HttpStatus> parse_target(std::string_view target) {
  std::string_view rest = origin_form(target);
  if (rest.empty() || rest.find('#') != std::string_view::npos) {
    return tl::unexpected(HttpStatus::kBadRequest);
  }
  rest = rest.substr(0, rest.find('?'));
  TargetPath result;
  while (!rest.empty()) {
    rest.remove_prefix(1);  // the slash
    const std::string_view raw = rest.substr(0, rest.find('/'));
    rest.remove_prefix(raw.size());
    const auto part = decode(raw);
    if (!part) return tl::unexpected(part.error());
    if (*part == "..") return tl::unexpected(HttpStatus::kForbidden);
    result.folder = part->empty() || *part == ".";
    if (!result.folder) append_part(result.path, *part);
  }
  if (result.path.size() > kPathMax) return tl::unexpected(HttpStatus::kUriTooLong);
  return result;
}

std::string folder_target(std::string_view decoded_path) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string target = "/";
  for (const char c : decoded_path) {
    const auto byte = static_cast<std::uint8_t>(c);
    const bool plain = byte < 0x80 && is_token_char(c) && c != '%';
    if (plain || c == '/') {
      target += c;
    } else {
      target += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return decoded_path.empty() ? target : target + "/";
}

}  // namespace migd
