#include "base/ids.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace migd {
namespace {

// A bijection on 64 bits (odd multiplications and xor-shifts), so neighbours get unlike digits.
constexpr std::uint64_t kOdd = 0xd6e8feb86659fd93u;
constexpr std::uint64_t inverse_mod_2_64(std::uint64_t odd) {
  std::uint64_t x = odd;  // Newton: each step doubles the number of right bits, from 3 to 96
  for (int i = 0; i < 5; ++i)
    x *= 2 - odd * x;
  return x;
}
static_assert(kOdd * inverse_mod_2_64(kOdd) == 1);

std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 32;
  x *= kOdd;
  x ^= x >> 32;
  x *= kOdd;
  return x ^ x >> 32;
}

std::uint64_t unmix(std::uint64_t x) {
  x ^= x >> 32;
  x *= inverse_mod_2_64(kOdd);
  x ^= x >> 32;
  x *= inverse_mod_2_64(kOdd);
  return x ^ x >> 32;
}

}  // namespace

std::string ConnectionId::to_string() const {
  char text[33];
  // The node is part of what is mixed, so that two nodes' first connections look different too.
  std::snprintf(text, sizeof text, "%016llx%04x%012llx",
                static_cast<unsigned long long>(mix(counter ^ std::uint64_t{node.value} << 48)),
                static_cast<unsigned>(node.value), static_cast<unsigned long long>(boot.value));
  return text;
}

Result<ConnectionId> ConnectionId::parse(std::string_view text) {
  const auto number = [&](std::size_t from, std::size_t digits, std::uint64_t& value) {
    const char* first = text.data() + from;
    const auto [end, error] = std::from_chars(first, first + digits, value, 16);
    return error == std::errc{} && end == first + digits;
  };
  std::uint64_t mixed = 0, node = 0, boot = 0;
  if (text.size() != 32 || !number(0, 16, mixed) || !number(16, 4, node) || !number(20, 12, boot)) {
    return fail(ErrorCode::kInvalidArgument,
                "'" + std::string(text) + "' is not a connection id (32 hex digits)");
  }
  return ConnectionId{NodeId{static_cast<std::uint16_t>(node)}, Boot{boot},
                      unmix(mixed) ^ node << 48};
}

void ConnectionId::write(ByteWriter& out) const {
  out.u64(std::uint64_t{node.value} << 48 | (boot.value & kBootMask));
  out.u64(counter);
}

ConnectionId ConnectionId::read(BoundedReader& in) {
  const std::uint64_t head = in.u64();
  const std::uint64_t counter = in.u64();
  return {NodeId{static_cast<std::uint16_t>(head >> 48)}, Boot{head & kBootMask}, counter};
}

}  // namespace migd
