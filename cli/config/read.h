// The whole configuration from text: load_config() without the file.
#pragma once

#include <string>
#include <string_view>

#include "cli/config.h"
#include "cli/config/table_reader.h"

namespace migd {

// `path` names the file in messages, and what paths in it are relative to.
Result<Config> read_config(std::string_view toml, const std::string& path, SecretPolicy secrets,
                           ReadContext& context);

}  // namespace migd
