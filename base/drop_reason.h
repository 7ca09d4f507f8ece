// Why the data plane did not deliver a packet. One closed list: every drop has a name and a
// counter, and nothing is dropped silently.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace migd {

enum class DropReason : std::uint8_t {
  kTruncated,            // shorter than its headers say
  kBadIpHeader,          // version, header length or IPv4 header checksum
  kIpFragment,           // we announce an MSS that needs none
  kUnsupportedProtocol,  // neither TCP nor one of ours
  kBadTcpHeader,         // data offset or option lengths
  kBadChecksum,
  kIcmpIgnored,         // quotes no segment of ours, or says nothing that is acted upon
  kIcmpNotInFlight,     // quotes what its connection does not have in flight (RFC 5927 4.1)
  kBeyondWindow,        // a segment that no window of its connection ever covered
  kOldTimestamp,        // PAWS: its timestamp is older than one that was seen
  kResetOutOfPlace,     // a RST that is not exactly what was expected next
  kSynOutOfPlace,       // a SYN of a connection that is open
  kNoAcknowledgement,   // a segment of an open connection without ACK
  kBadAcknowledgement,  // of what was not sent, or long ago
  kNotOurAddress,       // neither a VIP nor our tunnel address
  kTtlExceeded,
  kUnknownTunnelPeer,  // to our tunnel address, but not from a configured peer's
  kUnknownFlowId,      // encapsulated, but nothing is mapped to that identifier
  kBadEncapsulation,   // GUE header malformed or of another version
  kEncapsulationLoop,  // forwarded too often
  kNoConnection,       // nobody here owns it; never answered with RST
  kNoService,          // a SYN to a port of the VIP that no service names
  kNoNode,             // no node is available to take it
  kHoldQueueFull,      // beyond the window that was advertised
  kFrozenSynDropped,   // a SYN for a tuple that is just moving
  kBacklogFull,
  kTooManyConnections,
  kMemoryLimit,  // all connections together keep as much as they may
  kOutOfMemory,
  kQuarantined,  // the connection failed an assertion of the stack
  kDeviceFull,   // the device took no more frames
  kTooLarge,     // over the MTU of the way it must go
  kFault,        // the fault injector dropped it
};
inline constexpr std::size_t kDropReasonCount = static_cast<std::size_t>(DropReason::kFault) + 1;

std::string_view to_string(DropReason reason);

class DropCounters {
 public:
  void count(DropReason reason, std::uint64_t packets = 1) {
    counts_[static_cast<std::size_t>(reason)] += packets;
  }
  std::uint64_t of(DropReason reason) const { return counts_[static_cast<std::size_t>(reason)]; }
  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (std::uint64_t n : counts_)
      sum += n;
    return sum;
  }

 private:
  std::array<std::uint64_t, kDropReasonCount> counts_{};
};

}  // namespace migd
