// SipHash-2-4 (libsodium's crypto_shorthash): the hash for every table whose keys a stranger can
// choose.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace migd {

using SipKey = std::array<std::uint8_t, 16>;

std::uint64_t siphash(const SipKey& key, ByteView bytes);

}  // namespace migd
