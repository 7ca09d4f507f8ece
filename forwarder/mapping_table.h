// The mapping table: which node owns the connection behind a four-tuple, and under which flow
// identifier that node knows it.
//
// Theory of operation
//   The entries are soft state: the hosts hold the truth and can say it again. So the table is
//   bounded, and forgets what was not used for longest. It holds one entry for each moved
//   connection and none for the others.
//
//   Whether a request replaces an entry (supersedes()):
//     same connection   a higher epoch does; the same epoch of the same owner does too (a repeated
//                       request, perhaps with a new flow identifier); everything else is stale.
//     another one       The four-tuple was used again. Identifiers of one boot of one node are in
//                       order: the higher counter is the younger connection. Else there must be
//                       evidence that the mapped connection is over: a SYN of the tuple was seen
//                       since; or its owner itself answered the SYN of the new one, which it can
//                       not while it has the old one; or no packet came for two MSL. For one that
//                       is half-open the SYN is no evidence: it may be older than the mapped one.
//                       One whose handshake is complete goes before one that is half-open.
//
//   Entries live in a slab and are found through a set of their numbers, so that growing moves only
//   the numbers. The order of use is kept lazily: a look-up writes `last_used` and nothing else;
//   whoever needs the oldest entry moves those that were used meanwhile to the end of the queue.
#pragma once

#include <tsl/robin_set.h>

#include <functional>
#include <span>
#include <vector>

#include "base/four_tuple_hash.h"
#include "base/ids.h"
#include "base/known_flows.h"
#include "base/large_memory.h"
#include "base/messages.h"
#include "base/result.h"
#include "base/slab.h"
#include "base/time.h"

namespace migd {

// There may be a million of them: the tenure is packed.
struct Mapping {
  Tenure tenure() const {
    return {{NodeId{static_cast<std::uint16_t>(node_and_boot >> 48)},
             Boot{node_and_boot & kBootMask}, counter},
            epoch};
  }
  void set_tenure(const Tenure& tenure) {
    node_and_boot =
        std::uint64_t{tenure.connection.node.value} << 48 | tenure.connection.boot.value;
    counter = tenure.connection.counter;
    epoch = tenure.epoch;
  }

  std::uint64_t node_and_boot = 0, counter = 0;
  Instant last_used;
  Epoch epoch;
  FlowId flow;  // 0: none, its packets are not encapsulated under an identifier
  NodeId owner;
  NodeId previous_owner;   // whom packets were sent to before; 0: nobody
  bool syn_seen = false;   // since it was installed: the client may have let go of it
  bool half_open = false;  // as far as we know: its client may have another one
};

struct MappingTableOptions {
  std::size_t mappings_max = 1u << 20;
  Duration idle_max = 124min;         // RFC 5382 REQ-5: not below 2 hours 4 minutes
  KnownFlows* known_flows = nullptr;  // is told of each mapping; null: nobody asks
};

class MappingTable {
 public:
  static constexpr std::size_t kMany = 1u << 16;  // more than what is in a processor's cache

  MappingTable(const MappingTableOptions& options, const SipKey& key);
  MappingTable(const MappingTable&) = delete;
  MappingTable& operator=(const MappingTable&) = delete;

  // The owner before (0: none), or kRefused when the request is stale. A repeated request gives
  // the same answer as the first.
  Result<NodeId> install(const MappingRequest& request, Instant now);
  // Forgets the tuple, unless another connection or a higher epoch has it.
  bool remove(const FourTuple& tuple, const Tenure& tenure);
  // Forgets what `owner` has: it has started anew and has no connection any more.
  std::size_t remove_owner(NodeId owner);

  Mapping* find(const FourTuple& tuple, Instant now);  // counts as a use
  const Mapping* peek(const FourTuple& tuple) const;
  // Brings the entries of these into the cache: their ways there lie side by side, while those of
  // one look-up after the other would follow each other.
  void fetch(std::span<const FourTuple> tuples) const;
  void for_each(const std::function<void(const FourTuple&, const Mapping&)>& visit) const;
  std::size_t size() const { return index_.size(); }
  std::uint64_t evictions() const { return evictions_; }  // for want of room

  Instant next_deadline() const;
  void on_deadline(Instant now);  // forgets what was idle for too long

 private:
  using Number = std::uint32_t;  // of an entry in the slab
  static constexpr Number kNone = ~Number{0};

  struct Entry {
    FourTuple tuple;
    Mapping mapping;
    Instant queued_at;  // last_used when it was put at the end of the queue
    Number older = kNone, younger = kNone;
  };
  struct Hash {
    using is_transparent = void;
    const MappingTable* table;
    std::size_t operator()(const FourTuple& tuple) const { return table->hash_(tuple); }
    std::size_t operator()(Number n) const { return table->hash_(table->slab_[n].tuple); }
  };
  struct Equal {
    using is_transparent = void;
    const MappingTable* table;
    bool operator()(Number a, Number b) const { return a == b; }
    bool operator()(const FourTuple& a, Number b) const { return a == table->slab_[b].tuple; }
    bool operator()(Number a, const FourTuple& b) const { return b == table->slab_[a].tuple; }
  };

  void add(const MappingRequest& request, Instant now);
  void erase(Number number);
  void append_to_queue(Number number);
  void take_from_queue(Number number);
  Number oldest();

  MappingTableOptions options_;
  FourTupleHash hash_;
  static_assert(sizeof(Entry) <= 96, "of a million flows this is what memory goes into");

  Slab<Entry> slab_;
  std::vector<Number> free_;
  tsl::robin_set<Number, Hash, Equal, LargeAllocator<Number>, /*StoreHash=*/true> index_;
  Number oldest_ = kNone, youngest_ = kNone;
  std::uint64_t evictions_ = 0;
};

}  // namespace migd
