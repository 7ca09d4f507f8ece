// Why the channel did not take something from the network. One closed list, one counter each:
// migd_channel_refused_total{reason="..."}.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/metrics.h"

namespace migd::channel {

enum class Refusal : std::uint8_t {
  kTruncated,       // not as long as its header says
  kOversized,       // longer than any of ours, or a message over limits::kBlobMax
  kUnknownVersion,  // of the datagram format
  kUnknownType,
  kUnknownPeer,     // the sender is not configured, or not at that address
  kUnknownKey,      // HELLO under a pair of static keys that we do not hold
  kUnknownSession,  // session keys that we do not hold: another boot, or long replaced
  kBadTag,          // forged or damaged
  kReplayed,
  kMalformed,              // authentic, but breaks the format
  kStaleBoot,              // HELLO of an earlier life of the peer
  kStaleHello,             // HELLO that answers a question we no longer ask
  kHelloRate,              // HELLOs come faster than they are worth answering
  kNoCommonChannel,        // HELLO: no common version of the channel
  kNoCommonBlob,           // HELLO: no common version of the blob
  kNoCommonEncapsulation,  // HELLO: no common encapsulation format
  kTimestampLayout,        // HELLO: another layout of our TCP timestamps
  kWindowProfile,          // HELLO: another window profile
  kBodyForged,             // a body fragment did not open at its destination
  kBodySession,            // a body sealed with session keys that we do not hold
  kMemory,                 // no room for it now; its sender will try again
  kStaleMessage,           // too old to know whether it was delivered already
  kNotForUs,               // relayed by somebody who is not its origin, or for nobody we know
  kNoRoute,                // to be relayed to a node with which we have no session
  kTimedOut,               // half a message, and no more of it came (or could be passed on)
};
inline constexpr std::size_t kRefusalCount = static_cast<std::size_t>(Refusal::kTimedOut) + 1;

std::string_view to_string(Refusal refusal);  // "truncated", ...

class RefusalCounters {
 public:
  explicit RefusalCounters(Metrics& metrics);
  void count(Refusal refusal) { counters_[static_cast<std::size_t>(refusal)]->add(); }

 private:
  std::array<Counter*, kRefusalCount> counters_;
};

}  // namespace migd::channel
