// What the custom mutators share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "tests/support/sim_rng.h"

// libFuzzer's own mutations, for a part of an input. https://llvm.org/docs/LibFuzzer.html
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

namespace migd::fuzz {

inline void mutate(Bytes& bytes, std::size_t size_max) {
  const std::size_t size = bytes.size();
  bytes.resize(std::max(size, size_max));
  bytes.resize(LLVMFuzzerMutate(bytes.data(), size, bytes.size()));
}

// `serialized` as the mutated input, when it fits; the size, or 0.
inline std::size_t store(ByteView serialized, std::uint8_t* data, std::size_t size_max) {
  if (serialized.size() > size_max) return 0;
  std::copy(serialized.begin(), serialized.end(), data);
  return serialized.size();
}

}  // namespace migd::fuzz
