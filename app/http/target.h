// What a request target names (RFC 9112 section 3.2), as a path below a root.
#pragma once

#include <string>
#include <string_view>

#include "app/http/status.h"
#include "base/result.h"

namespace migd {

struct TargetPath {
  std::string path;     // decoded, relative, no empty, "." or ".." parts; "" is the root
  bool folder = false;  // it ended in a slash
};

// Takes origin-form and absolute-form; the query is ignored. Refused: an escape that is malformed
// or stands for a control byte or a slash (kBadRequest), a ".." (kForbidden).
tl::expected<TargetPath, HttpStatus> parse_target(std::string_view target);

// The target of a folder, for a Location field: "/a%20b/".
std::string folder_target(std::string_view decoded_path);

}  // namespace migd
