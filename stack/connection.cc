#include "stack/connection.h"

namespace migd {
namespace {

// By bit.
constexpr std::string_view kNames[] = {
    "app_busy",     "forwarded_too_often", "moving",       "blob_too_large",
    "no_forwarder", "stale_epoch",         "already_here", "target_unknown",
    "target_down",  "target_no_family",    "no_target",
};
static_assert(std::size(kNames) == kBlockerCount);

}  // namespace

std::vector<std::string_view> Blockers::names() const {
  std::vector<std::string_view> names;
  for (int bit = 0; bit < kBlockerCount; ++bit) {
    if ((bits_ >> bit & 1) != 0) names.push_back(kNames[bit]);
  }
  return names;
}

std::string Blockers::to_string() const {
  std::string text;
  for (const std::string_view name : names())
    text.append(text.empty() ? "" : ",").append(name);
  return text;
}

}  // namespace migd
