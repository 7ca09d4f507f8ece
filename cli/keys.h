// Static keys of nodes (X25519), as files and as text. A key file holds the base64 form of 32 bytes
// and a newline.
#pragma once

#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "cli/node_options.h"

namespace migd {

SecretKey make_secret_key(Rng& rng);
PublicKey public_key_of(const SecretKey& secret);

std::string key_to_text(const std::array<std::uint8_t, 32>& key);
Result<PublicKey> parse_public_key(std::string_view base64);

// kNotFound when there is no such file, kInvalidArgument when it holds something else.
Result<SecretKey> read_key_file(const std::string& path);
// Makes the file with mode 0600; never replaces one (kBusy).
Result<void> write_key_file(const std::string& path, const SecretKey& key);
// That others than the owner may read it, whoever the owner is.
bool others_may_read(const std::string& path);

}  // namespace migd
