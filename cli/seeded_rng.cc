#include "cli/seeded_rng.h"

#include <sodium.h>

#include <array>

#include "base/writer.h"

namespace migd {

void SeededRng::fill(MutableBytes out) {
  std::array<std::uint8_t, randombytes_SEEDBYTES> key{};
  Bytes numbers;
  ByteWriter writer(numbers);
  writer.u64(seed_);
  writer.u64(stream_);
  writer.u64(draws_++);
  std::copy(numbers.begin(), numbers.end(), key.begin());
  randombytes_buf_deterministic(out.data(), out.size(), key.data());
}

}  // namespace migd
