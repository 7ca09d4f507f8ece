#include "cli/keys.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "cli/file.h"

namespace migd {
namespace {

constexpr int kBase64 = sodium_base64_VARIANT_ORIGINAL;
constexpr std::size_t kKeyFileMax = 256;

using Key = std::array<std::uint8_t, 32>;

Result<Key> parse_key(std::string_view base64) {
  Key key{};
  std::size_t length = 0;
  const int verdict = sodium_base642bin(key.data(), key.size(), base64.data(), base64.size(), "\n",
                                        &length, nullptr, kBase64);
  if (verdict != 0 || length != key.size()) {
    return fail(ErrorCode::kInvalidArgument, "not a key: expected 32 bytes as base64");
  }
  return key;
}

}  // namespace

SecretKey make_secret_key(Rng& rng) {
  SecretKey key;
  rng.fill(key);
  return key;
}

PublicKey public_key_of(const SecretKey& secret) {
  PublicKey key;
  MIGD_CHECK(crypto_scalarmult_base(key.data(), secret.data()) == 0);
  return key;
}

std::string key_to_text(const Key& key) {
  std::string text(sodium_base64_encoded_len(key.size(), kBase64), '\0');
  sodium_bin2base64(text.data(), text.size(), key.data(), key.size(), kBase64);
  text.pop_back();  // the terminating zero
  return text;
}

// A point of small order makes the same secret with every key (RFC 7748, section 6.1).
Result<PublicKey> parse_public_key(std::string_view base64) {
  Result<PublicKey> key = parse_key(base64);
  if (!key) return key;
  constexpr SecretKey kAny{};
  Key shared;
  if (crypto_scalarmult(shared.data(), kAny.data(), key->data()) != 0) {
    return fail(ErrorCode::kInvalidArgument, "not a key: a point of small order");
  }
  return key;
}

Result<SecretKey> read_key_file(const std::string& path) {
  const Result<std::string> text = read_file(path, kKeyFileMax);
  if (!text) return tl::unexpected(text.error());
  return parse_key(*text);
}

Result<void> write_key_file(const std::string& path, const SecretKey& key) {
  return create_file(path, 0600, key_to_text(key) + "\n");
}

bool others_may_read(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && (status.st_mode & (S_IRGRP | S_IROTH)) != 0;
}

}  // namespace migd
