// What is wrong with a configuration. All of it is collected, one line is shown: the first in file
// order of those that are likely causes. A missing key often is there under a wrong name, and a
// reference to a name that is not known often is the consequence of a fault where that name is
// given, so these are shown only when there is nothing else.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/config/document.h"

namespace migd {

class Complaints {
 public:
  void add(Place place, std::string_view key, std::string_view text);
  void add_missing(Place table, std::string_view key, std::string_view expected);
  void add_reference(Place place, std::string_view key, std::string_view text);

  bool empty() const { return complaints_.empty(); }
  // "FILE:LINE: KEY: TEXT", always a single line of printable characters. CHECKs that there is one.
  std::string first(std::string_view file) const;

 private:
  enum class Rank { kFault, kMissing, kReference };
  struct Complaint {
    Rank rank;
    Place place;
    std::string key;
    std::string text;
    auto operator<=>(const Complaint&) const = default;
  };
  std::vector<Complaint> complaints_;
};

// `text` with every control character replaced by '?': what a file or a peer says may be printed.
std::string printable(std::string_view text);

}  // namespace migd
