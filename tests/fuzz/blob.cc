// Fuzzer `blob`: what another node says a connection is. It is decoded, validated and attached, and
// then it has to live: see blob_life.h.
#include "migrator/blob.h"

#include "tests/fuzz/blob_input.h"
#include "tests/fuzz/blob_life.h"
#include "tests/fuzz/blob_mutator.h"
#include "tests/fuzz/finding.h"
#include "tests/fuzz/mutate.h"

namespace migd::fuzz {
namespace {

constexpr std::size_t kScriptMax = 400;

void run(ByteView bytes) {
  const BlobInput input = BlobInput::parse(bytes);
  const Result<ConnectionBlob> blob = decode_blob(input.blob);
  if (!blob) {
    MIGD_FUZZ_HOLDS(!blob.error().text.empty(), "a refusal without a name");
    return;
  }
  const Bytes encoded = encode_blob(*blob);
  const Result<ConnectionBlob> again = decode_blob(encoded);
  MIGD_FUZZ_HOLDS(again && encode_blob(*again) == encoded, "a blob that changes by being copied");
  Input script(input.script);
  BlobLife().run(*blob, script);
}

std::size_t mutate_input(std::uint8_t* data, std::size_t size, std::size_t size_max,
                         std::uint32_t seed) {
  sim::SimRng rng(seed);
  BlobInput input = BlobInput::parse({data, size});
  Result<ConnectionBlob> blob = decode_blob(input.blob);
  if (!blob || rng.chance(0.05)) return LLVMFuzzerMutate(data, size, size_max);
  if (rng.chance(0.5)) mutate(input.script, kScriptMax);
  if (input.script.empty() || rng.chance(0.5)) {
    mutate_blob(*blob, rng);
    input.blob = encode_blob(*blob);
  }
  const std::size_t stored = store(input.serialize(), data, size_max);
  return stored != 0 ? stored : LLVMFuzzerMutate(data, size, size_max);
}

}  // namespace
}  // namespace migd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  migd::fuzz::run({data, size});
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t size_max, unsigned seed) {
  return migd::fuzz::mutate_input(data, size, size_max, seed);
}
