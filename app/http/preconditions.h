// Conditional requests (RFC 9110 section 13) on a file with an entity tag and a date.
#pragma once

#include <cstdint>
#include <string>

#include "app/http/request.h"

namespace migd {

struct Validators {
  std::string entity_tag;  // strong, with its quotes
  std::int64_t modified_s = 0;
};

enum class Precondition { kMet, kNotModified, kFailed };

// In the order of RFC 9110 section 13.2.2, for GET and HEAD.
Precondition evaluate_preconditions(const HttpRequest& request, const Validators& current);

// False when If-Range says that a part of the current version is of no use.
bool range_applies(const HttpRequest& request, const Validators& current);

}  // namespace migd
