// Content-Type by the extension of a file's name.
#pragma once

#include <string_view>

namespace migd {

std::string_view media_type(std::string_view path);

}  // namespace migd
