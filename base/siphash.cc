#include "base/siphash.h"

#include <sodium.h>

#include <cstring>

namespace migd {

std::uint64_t siphash(const SipKey& key, ByteView bytes) {
  static_assert(crypto_shorthash_KEYBYTES == sizeof(SipKey) && crypto_shorthash_BYTES == 8);
  std::uint64_t hash;
  std::uint8_t raw[8];
  crypto_shorthash(raw, bytes.data(), bytes.size(), key.data());
  std::memcpy(&hash, raw, sizeof hash);
  return hash;
}

}  // namespace migd
