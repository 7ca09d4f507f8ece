#include "app/http/range.h"

#include <algorithm>

#include "app/http/text.h"

namespace migd {
namespace {

RangeAnswer last_bytes(std::uint64_t count, std::uint64_t size) {
  if (count == 0 || size == 0) return {RangeAnswer::Kind::kUnsatisfiable};
  return {RangeAnswer::Kind::kPart, size - std::min(count, size), size};
}

RangeAnswer from_to(std::uint64_t first, std::uint64_t last, std::uint64_t size) {
  if (last < first) return {};
  if (first >= size) return {RangeAnswer::Kind::kUnsatisfiable};
  return {RangeAnswer::Kind::kPart, first, std::min(last, size - 1) + 1};
}

}  // namespace

RangeAnswer resolve_range(std::string_view field, std::uint64_t size_bytes) {
  const std::size_t equals = field.find('=');
  if (equals == std::string_view::npos) return {};
  if (!equal_without_case(field.substr(0, equals), "bytes")) return {};
  const std::string_view range = trim(field.substr(equals + 1));
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return {};
  const std::string_view first_text = range.substr(0, dash), last_text = range.substr(dash + 1);
  const auto first = parse_decimal(first_text), last = parse_decimal(last_text);
  if (first_text.empty() && last) return last_bytes(*last, size_bytes);
  if (first && last_text.empty()) return from_to(*first, UINT64_MAX, size_bytes);
  if (first && last) return from_to(*first, *last, size_bytes);
  return {};
}

}  // namespace migd
