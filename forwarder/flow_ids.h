// Flow identifiers: chosen by the node that migrates, unique at the forwarder that will use them.
//
// A forwarder counts; a source leases a block of counter values from it and turns each into an
// identifier with the forwarder's keyed permutation. So identifiers of one boot of a forwarder are
// distinct whoever chose them, come without asking for each, and look random: they stand where TCP
// has its ports, where receive-side scaling and flow hashes look, and strangers cannot guess them.
#pragma once

#include <deque>
#include <map>
#include <optional>

#include "base/ids.h"
#include "base/random.h"
#include "base/siphash.h"
#include "base/time.h"

namespace migd {

// A bijection on 32 bits: a Feistel network of four rounds with SipHash as the round function
// (Luby and Rackoff).
std::uint32_t permute(const SipKey& key, std::uint32_t value);
std::uint32_t unpermute(const SipKey& key, std::uint32_t value);

// Counter values [first, first + count) of one boot of a forwarder.
struct FlowIdLease {
  std::uint32_t first = 0;
  std::uint32_t count = 0;  // 0: none can be had now
  SipKey key{};
};

// The forwarder's end. Its counter comes round after 2^32 values (at 100 000 moves a second: after
// twelve hours), and never within two MSL; a flow that then still holds an identifier is protected
// by its host, which refuses to map it to another connection.
class FlowIdLessor {
 public:
  explicit FlowIdLessor(Rng& rng) { rng.fill(key_); }

  FlowIdLease lease(Instant now);  // limits::kFlowIdBlock values

 private:
  SipKey key_;
  std::uint32_t next_ = 0;
  std::optional<Instant> turn_began_;
};

// One boot of a forwarder.
struct ForwarderBoot {
  NodeId forwarder;
  Boot boot;
};

// The source's end: what it has leased from each forwarder.
class FlowIdPool {
 public:
  void add(const ForwarderBoot& from, const FlowIdLease& lease);  // another boot's are dropped
  std::optional<FlowId> take(NodeId forwarder);                   // never FlowId 0
  bool is_low(NodeId forwarder) const;                            // time to lease more
  void drop_forwarder(NodeId forwarder) { leases_.erase(forwarder); }

 private:
  static constexpr std::size_t kLeasesMax = 16;  // of one forwarder, kept at a time
  struct Leases {
    Boot boot;
    std::deque<FlowIdLease> blocks;
    std::size_t remaining = 0;
  };
  std::map<NodeId, Leases> leases_;
};

}  // namespace migd
