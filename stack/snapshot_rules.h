// What must hold in a TcpSnapshot before any of it is used. A snapshot comes from another node: it
// may be broken, or made up to trip an assertion of lwIP.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"
#include "stack/snapshot.h"

namespace migd {

// What rounding of scaled windows may announce beyond the limit, in sum (stack/lwip/hooks.c).
inline constexpr std::uint32_t kWindowSlack = 64u << 10;

// Out-of-order segments that one connection may hold: a window full of half-kilobyte ones.
constexpr std::size_t out_of_order_max(std::uint32_t window) {
  return 256 + window / 512;
}

// What is in flight may have so many different things to tell. Of more it is not told: it is as if
// nothing were known.
inline constexpr std::size_t kSentRangesMax = 4096;

// An error of kProtocol names the first rule that is broken.
Result<void> check_snapshot(const TcpSnapshot& snapshot);

// Whether our FIN, if there is one, has been sent, and whether it was acknowledged.
bool fin_sent(const TcpSnapshot& snapshot);
bool fin_acknowledged(const TcpSnapshot& snapshot);

// Whether anything is to be sent or acknowledged.
bool something_waits(const TcpSnapshot& snapshot);

// Whether the out-of-order data that the block names is there.
bool holds(const TcpSnapshot& snapshot, const TcpSnapshot::SackBlock& block);

}  // namespace migd
