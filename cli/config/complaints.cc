#include "cli/config/complaints.h"

#include <algorithm>

#include "base/check.h"

namespace migd {

void Complaints::add(Place place, std::string_view key, std::string_view text) {
  complaints_.push_back({Rank::kFault, place, std::string(key), std::string(text)});
}

void Complaints::add_missing(Place table, std::string_view key, std::string_view expected) {
  complaints_.push_back(
      {Rank::kMissing, table, std::string(key), "missing, expected " + std::string(expected)});
}

void Complaints::add_reference(Place place, std::string_view key, std::string_view text) {
  complaints_.push_back({Rank::kReference, place, std::string(key), std::string(text)});
}

std::string Complaints::first(std::string_view file) const {
  MIGD_CHECK(!empty());
  const Complaint& first = *std::min_element(complaints_.begin(), complaints_.end());
  return printable(std::string(file) + ":" + std::to_string(first.place.line) + ": " + first.key +
                   ": " + first.text);
}

std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return out;
}

}  // namespace migd
