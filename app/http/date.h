// HTTP's dates (RFC 9110 section 5.6.7), as seconds since 1970.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace migd {

std::string format_http_date(std::int64_t unix_seconds);  // "Sun, 06 Nov 1994 08:49:37 GMT"
// That form and the two obsolete ones.
std::optional<std::int64_t> parse_http_date(std::string_view text);

}  // namespace migd
