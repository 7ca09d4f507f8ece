// Whole files.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace migd {

// kNotFound, kPermission, kTooLarge beyond `bytes_max`, or kIo. The text names the path.
Result<std::string> read_file(const std::string& path, std::size_t bytes_max);

// Makes a file that must not be there yet (kBusy).
Result<void> create_file(const std::string& path, mode_t mode, std::string_view content);

// `path` as seen from the folder of the file `base_file`; an absolute one stays as it is.
std::string relative_to_file(const std::string& base_file, const std::string& path);

}  // namespace migd
