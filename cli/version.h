// The version that `migd --version` and the admin interface name; CMakeLists.txt sets it.
#pragma once

#include <string_view>

namespace migd {

inline constexpr std::string_view kVersion = MIGD_VERSION;

}  // namespace migd
