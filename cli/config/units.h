// Durations and sizes as text with units, and the closest name to one that is not known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace migd {

// A whole number and one of ns, us, ms, s, m, h: "500ms". Nothing when it is not that or overflows.
std::optional<Duration> parse_duration(std::string_view text);
// A whole number and one of B, KiB, MiB, GiB: "256KiB". In bytes.
std::optional<std::uint64_t> parse_size(std::string_view text);

// With the largest unit that loses nothing: "500ms", "1MiB".
std::string format_duration(Duration d);
std::string format_size(std::uint64_t bytes);

// The known name that `name` was probably meant to be.
std::optional<std::string> nearest(std::string_view name, const std::vector<std::string>& known);

}  // namespace migd
