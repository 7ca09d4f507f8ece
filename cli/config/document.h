// A TOML document as plain values, each with its place in the file. Only document.cc sees toml++.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace migd {

struct Place {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  auto operator<=>(const Place&) const = default;
};

// A value together with the place where the file says it.
template <typename T>
struct Placed {
  T value;
  Place place;
};

struct DocumentEntry;

struct DocumentValue {
  enum class Kind { kString, kInteger, kFloat, kBoolean, kArray, kTable, kDate };

  Kind kind = Kind::kTable;
  Place place;
  std::string text;                    // kString
  std::int64_t integer = 0;            // kInteger
  double number = 0;                   // kFloat
  bool boolean = false;                // kBoolean
  std::vector<DocumentValue> items;    // kArray
  std::vector<DocumentEntry> entries;  // kTable, in no particular order
};

struct DocumentEntry {
  std::string key;
  Place place;  // of the key
  DocumentValue value;
};

std::string_view to_string(DocumentValue::Kind kind);  // "a string", "a table", ...

// The syntax error as "LINE: what"; the caller puts the file's name in front.
Result<DocumentValue> parse_document(std::string_view toml);

}  // namespace migd
