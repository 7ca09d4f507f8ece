// Authenticated encryption of datagrams and bodies: AES-256-GCM where both ends have it in
// hardware (half the time of the other), ChaCha20-Poly1305 (RFC 8439) everywhere else. Both take a
// 256-bit key, a 96-bit nonce that must never repeat under a key, and make a 128-bit tag.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/bytes.h"

namespace migd::channel {

using Key = std::array<std::uint8_t, 32>;
using Tag = std::array<std::uint8_t, 16>;
using Nonce = std::array<std::uint8_t, 12>;

enum class Cipher : std::uint8_t { kChaCha20Poly1305 = 1, kAes256Gcm = 2 };

bool aes_available();  // this machine has the instructions

// 64 bits and 32 bits, big-endian.
Nonce make_nonce(std::uint64_t high, std::uint32_t low);

class Aead {
 public:
  Aead(Cipher cipher, const Key& key);
  ~Aead();
  Aead(const Aead&) = delete;
  Aead& operator=(const Aead&) = delete;

  // Encrypts in place.
  Tag seal(const Nonce& nonce, ByteView associated, MutableBytes text) const;
  // Writes the plaintext of `sealed` to `text`, of the same size (they may be the same bytes).
  // False when the tag does not fit; `text` is then zeros or untouched.
  bool open(const Nonce& nonce, ByteView associated, ByteView sealed, const Tag& tag,
            std::uint8_t* text) const;

 private:
  struct Aes;
  Key key_{};                 // ChaCha20-Poly1305
  std::unique_ptr<Aes> aes_;  // AES-256-GCM, its key schedule
};

}  // namespace migd::channel
