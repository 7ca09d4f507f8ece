#include "app/http/preconditions.h"

#include "app/http/date.h"
#include "app/http/text.h"

namespace migd {
namespace {

enum class Comparison { kStrong, kWeak };

bool same_tag(std::string_view tag, const std::string& current, Comparison comparison) {
  if (comparison == Comparison::kWeak && tag.substr(0, 2) == "W/") tag.remove_prefix(2);
  return tag == current;
}

// "*" or a list of tags. Our own tags hold no comma, so cutting at commas cannot miss one.
bool any_matches(std::string_view list, const std::string& current, Comparison comparison) {
  if (trim(list) == "*") return true;
  while (!list.empty()) {
    const std::string_view item = list.substr(0, list.find(','));
    if (same_tag(trim(item), current, comparison)) return true;
    list.remove_prefix(item.size() == list.size() ? item.size() : item.size() + 1);
  }
  return false;
}

bool modified_since(std::string_view field, const Validators& current, bool if_unreadable) {
  const auto date = parse_http_date(field);
  return date ? current.modified_s > *date : if_unreadable;
}

}  // namespace

Precondition evaluate_preconditions(const HttpRequest& request, const Validators& current) {
  if (const auto tags = request.field("If-Match")) {
    if (!any_matches(*tags, current.entity_tag, Comparison::kStrong)) return Precondition::kFailed;
  } else if (const auto date = request.field("If-Unmodified-Since")) {
    if (modified_since(*date, current, false)) return Precondition::kFailed;
  }
  if (const auto tags = request.field("If-None-Match")) {
    return any_matches(*tags, current.entity_tag, Comparison::kWeak) ? Precondition::kNotModified
                                                                     : Precondition::kMet;
  }
  if (const auto date = request.field("If-Modified-Since")) {
    if (!modified_since(*date, current, true)) return Precondition::kNotModified;
  }
  return Precondition::kMet;
}

bool range_applies(const HttpRequest& request, const Validators& current) {
  const auto condition = request.field("If-Range");
  if (!condition) return true;
  if (same_tag(*condition, current.entity_tag, Comparison::kStrong)) return true;
  const auto date = parse_http_date(*condition);
  return date && *date == current.modified_s;
}

}  // namespace migd
