#include "migrator/channel/aead.h"

#include <sodium.h>

#include "base/check.h"

namespace migd::channel {

static_assert(crypto_aead_aes256gcm_KEYBYTES == 32 && crypto_aead_aes256gcm_NPUBBYTES == 12 &&
              crypto_aead_aes256gcm_ABYTES == 16);
static_assert(crypto_aead_chacha20poly1305_ietf_KEYBYTES == 32 &&
              crypto_aead_chacha20poly1305_ietf_NPUBBYTES == 12 &&
              crypto_aead_chacha20poly1305_ietf_ABYTES == 16);

struct Aead::Aes {
  crypto_aead_aes256gcm_state schedule;
  ~Aes() { sodium_memzero(&schedule, sizeof schedule); }
};

bool aes_available() {
  static const bool available = sodium_init() >= 0 && crypto_aead_aes256gcm_is_available() == 1;
  return available;
}

Nonce make_nonce(std::uint64_t high, std::uint32_t low) {
  Nonce nonce;
  for (int i = 7; i >= 0; --i, high >>= 8)
    nonce[static_cast<std::size_t>(i)] = high & 0xff;
  for (int i = 11; i >= 8; --i, low >>= 8)
    nonce[static_cast<std::size_t>(i)] = low & 0xff;
  return nonce;
}

Aead::Aead(Cipher cipher, const Key& key) {
  MIGD_CHECK(sodium_init() >= 0);
  if (cipher == Cipher::kChaCha20Poly1305) {
    key_ = key;
    return;
  }
  MIGD_CHECK(aes_available());
  aes_ = std::make_unique<Aes>();
  crypto_aead_aes256gcm_beforenm(&aes_->schedule, key.data());
}

Aead::~Aead() {
  sodium_memzero(key_.data(), key_.size());
}

Tag Aead::seal(const Nonce& nonce, ByteView associated, MutableBytes text) const {
  Tag tag;
  std::uint8_t none = 0;  // libsodium takes no null pointers, which empty views have
  std::uint8_t* const at = text.empty() ? &none : text.data();
  if (aes_) {
    crypto_aead_aes256gcm_encrypt_detached_afternm(at, tag.data(), nullptr, at, text.size(),
                                                   associated.data(), associated.size(), nullptr,
                                                   nonce.data(), &aes_->schedule);
  } else {
    crypto_aead_chacha20poly1305_ietf_encrypt_detached(at, tag.data(), nullptr, at, text.size(),
                                                       associated.data(), associated.size(),
                                                       nullptr, nonce.data(), key_.data());
  }
  return tag;
}

bool Aead::open(const Nonce& nonce, ByteView associated, ByteView sealed, const Tag& tag,
                std::uint8_t* text) const {
  std::uint8_t none = 0;
  std::uint8_t* const to = sealed.empty() ? &none : text;
  const std::uint8_t* const from = sealed.empty() ? &none : sealed.data();
  if (aes_) {
    return crypto_aead_aes256gcm_decrypt_detached_afternm(
               to, nullptr, from, sealed.size(), tag.data(), associated.data(), associated.size(),
               nonce.data(), &aes_->schedule) == 0;
  }
  return crypto_aead_chacha20poly1305_ietf_decrypt_detached(
             to, nullptr, from, sealed.size(), tag.data(), associated.data(), associated.size(),
             nonce.data(), key_.data()) == 0;
}

}  // namespace migd::channel
