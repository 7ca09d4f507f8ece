// SHA-256 whose running state can be written down, on any machine, after any byte. Nettle's, whose
// state is public, and which uses the processor's instructions for it.
#pragma once

#include <nettle/sha2.h>

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
  std::uint64_t length() const { return state_.count * sizeof state_.block + state_.index; }
  std::string hex_digest() const;  // of the bytes so far

  // 8 x u32 chaining value | u64 bytes so far | those behind the last whole block of 64
  void write_state(ByteWriter& out) const;
  static Result<Sha256> restore(BoundedReader& in);

 private:
  sha256_ctx state_;
};

}  // namespace migd
