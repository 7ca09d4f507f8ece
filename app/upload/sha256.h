// SHA-256 (libsodium's) whose running state can be written down, on any machine, after any byte.
#pragma once

#include <sodium/crypto_hash_sha256.h>

#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/reader.h"
#include "base/result.h"
#include "base/writer.h"

namespace migd {

class Sha256 {
 public:
  Sha256();
  void update(ByteView bytes);
  std::uint64_t length() const { return state_.count / 8; }  // bytes so far
  std::string hex_digest() const;                            // of the bytes so far

  // 8 x u32 chaining value | u64 bytes so far | those behind the last whole block of 64
  void write_state(ByteWriter& out) const;
  static Result<Sha256> restore(BoundedReader& in);

 private:
  crypto_hash_sha256_state state_;
};

}  // namespace migd
