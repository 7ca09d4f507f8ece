// JSON as the admin interface and --json write it: keys in the order in which they were added, on
// one line; bytes that are no UTF-8 are replaced, for they may come from a client.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace migd {

using Json = nlohmann::ordered_json;

inline std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace migd
