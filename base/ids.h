// Identifiers. Each is its own type, so that one cannot be passed for another. What they mean is
// said in docs/life_of_a_migration.md; in short: a connection id names a connection for its whole
// life, an epoch counts its owners, a flow id names a mapped flow between one forwarder and one
// host, a boot makes every counter unique across restarts.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/reader.h"
#include "base/result.h"
#include "base/writer.h"

namespace migd {

template <typename Tag, typename Integer>
struct StrongInt {
  Integer value = 0;
  constexpr auto operator<=>(const StrongInt&) const = default;
};

using NodeId = StrongInt<struct NodeIdTag, std::uint16_t>;  // 1..kNodeIdMax, from the configuration
using Boot = StrongInt<struct BootTag, std::uint64_t>;      // 48 random bits, new at each start
using Epoch = StrongInt<struct EpochTag, std::uint32_t>;    // the first owner's is 1
using FlowId = StrongInt<struct FlowIdTag, std::uint32_t>;

inline constexpr std::uint16_t kNodeIdMax = 0xfffe;
inline constexpr std::uint64_t kBootMask = (std::uint64_t{1} << 48) - 1;

// 128 bits, fixed when the SYN is first answered: the node that answered, its boot, its counter.
struct ConnectionId {
  NodeId node;
  Boot boot;
  std::uint64_t counter = 0;

  auto operator<=>(const ConnectionId&) const = default;

  // 32 hex digits. The first 16 are a fixed mixing of the counter, so that a short prefix tells
  // connections of one node apart; the rest are node and boot as they are.
  std::string to_string() const;
  static Result<ConnectionId> parse(std::string_view thirty_two_hex_digits);

  void write(ByteWriter& out) const;  // 16 bytes: node, boot (48 bits), counter
  static ConnectionId read(BoundedReader& in);
};

// Names one owner's tenure of one connection: every message of a migration is idempotent by it.
struct Tenure {
  ConnectionId connection;
  Epoch epoch;
  auto operator<=>(const Tenure&) const = default;
};

}  // namespace migd

template <>
struct std::hash<migd::ConnectionId> {
  std::size_t operator()(const migd::ConnectionId& id) const noexcept {
    return (id.counter * 0x9e3779b97f4a7c15u) ^ id.boot.value ^
           (static_cast<std::uint64_t>(id.node.value) << 48);
  }
};
