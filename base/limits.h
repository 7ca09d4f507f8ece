// Every bound of the daemon in one place, related to each other at compile time. What a user may
// change is in the configuration; these are the walls around that.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace migd::limits {

// Wire.
inline constexpr std::size_t kMtuMin = 1280;  // RFC 8200: every IPv6 link carries it
inline constexpr std::size_t kMtuMax = 65535;
inline constexpr std::size_t kGueHeaderMax = 96;  // GUE + private header with reference + tag
inline constexpr std::size_t kEncapsulationMax = 40 + 8 + kGueHeaderMax;

// A connection.
inline constexpr std::uint32_t kWindowMax = 8u << 20;      // bytes that one peer may have us hold
inline constexpr std::uint32_t kSendBufferMax = 8u << 20;  // bytes of one connection not yet acked
inline constexpr std::size_t kApplicationStateMax = 256u << 10;

// A blob holds at most a full window of unread data, one of out-of-order data, a full send buffer,
// the application's state and the fixed sections.
inline constexpr std::size_t kBlobMax =
    2 * std::size_t{kWindowMax} + kSendBufferMax + 2 * kApplicationStateMax + (128u << 10);
static_assert(kBlobMax < (std::size_t{1} << 32), "lengths in the blob are 32 bits");

// A node.
inline constexpr std::uint32_t kConnectionsMax = 1u << 20;
inline constexpr std::size_t kPeersMax = 256;
inline constexpr std::size_t kMessageBusMax = 1u << 22;  // messages waiting
inline constexpr std::size_t kFlowIdBlock = 4096;        // identifiers leased at a time
inline constexpr int kForwardHopsMax = 8;                // encapsulations of one packet

// Time. 2 MSL as most stacks have it, not RFC 9293's four minutes.
inline constexpr Duration kMaximumSegmentLifetime = 30s;
inline constexpr Duration kTombstoneLifetime = 2 * kMaximumSegmentLifetime;

}  // namespace migd::limits
