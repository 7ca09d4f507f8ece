#include "cli/config/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace migd {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

// Largest first, for formatting.
constexpr std::array kTimeUnits = {
    Unit{"h", 3'600'000'000'000}, Unit{"m", 60'000'000'000}, Unit{"s", 1'000'000'000},
    Unit{"ms", 1'000'000},        Unit{"us", 1'000},         Unit{"ns", 1}};
constexpr std::array kSizeUnits = {Unit{"GiB", std::int64_t{1} << 30}, Unit{"MiB", 1 << 20},
                                   Unit{"KiB", 1 << 10}, Unit{"B", 1}};

template <std::size_t N>
std::optional<std::int64_t> parse_quantity(std::string_view text,
                                           const std::array<Unit, N>& units) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || text.front() == '-') return std::nullopt;
  const std::string_view name(stop, static_cast<std::size_t>(end - stop));
  for (const Unit& unit : units) {
    if (name != unit.name) continue;
    if (number > std::numeric_limits<std::int64_t>::max() / unit.factor) return std::nullopt;
    return number * unit.factor;
  }
  return std::nullopt;
}

template <std::size_t N>
std::string format_quantity(std::int64_t value, const std::array<Unit, N>& units) {
  std::size_t i = 0;
  while (value % units[i].factor != 0)
    ++i;  // the last factor is 1
  return std::to_string(value / units[i].factor) + std::string(units[i].name);
}

// Levenshtein's distance, two neighbours exchanged counting as one step.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i)
    d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j)
    d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  const auto value = parse_quantity(text, kTimeUnits);
  if (!value) return std::nullopt;
  return Duration(*value);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto value = parse_quantity(text, kSizeUnits);
  if (!value) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

std::string format_duration(Duration d) {
  return d == Duration::zero() ? "0s" : format_quantity(d.count(), kTimeUnits);
}

std::string format_size(std::uint64_t bytes) {
  return bytes == 0 ? "0B" : format_quantity(static_cast<std::int64_t>(bytes), kSizeUnits);
}

std::optional<std::string> nearest(std::string_view name, const std::vector<std::string>& known) {
  constexpr std::size_t kLongestWorthComparing = 64;
  if (name.size() > kLongestWorthComparing) return std::nullopt;
  std::size_t least = std::max<std::size_t>(2, name.size() / 3) + 1;
  std::optional<std::string> best;
  for (const std::string& candidate : known) {
    if (name.size() >= 3 && candidate.starts_with(name)) return candidate;
    const std::size_t d = distance(name, candidate);
    if (d >= least || d >= candidate.size()) continue;
    least = d;
    best = candidate;
  }
  return best;
}

}  // namespace migd
