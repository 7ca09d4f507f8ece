#include "app/upload/sha256.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "app/state.h"

namespace migd {
namespace {

constexpr std::size_t kBlockBytes = sizeof sha256_ctx::block;

}  // namespace

Sha256::Sha256() {
  sha256_init(&state_);
}

void Sha256::update(ByteView bytes) {
  sha256_update(&state_, bytes.size(), bytes.data());
}

std::string Sha256::hex_digest() const {
  sha256_ctx copy = state_;
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest;
  sha256_digest(&copy, digest.size(), digest.data());
  std::string hex;
  for (const std::uint8_t byte : digest)
    fmt::format_to(std::back_inserter(hex), "{:02x}", byte);
  return hex;
}

void Sha256::write_state(ByteWriter& out) const {
  for (const std::uint32_t word : state_.state)
    out.u32(word);
  out.u64(length());
  out.bytes(ByteView(state_.block, state_.index));
}

Result<Sha256> Sha256::restore(BoundedReader& in) {
  Sha256 hash;
  for (std::uint32_t& word : hash.state_.state)
    word = in.u32();
  const std::uint64_t length = in.u64();
  const ByteView partial = in.bytes(static_cast<std::size_t>(length % kBlockBytes));
  if (!in.ok()) return bad_state("truncated");
  if (length > UINT64_MAX / 8) return bad_state("hashed length is too large");
  hash.state_.count = length / kBlockBytes;
  hash.state_.index = static_cast<unsigned>(partial.size());
  std::copy(partial.begin(), partial.end(), hash.state_.block);
  return hash;
}

}  // namespace migd
