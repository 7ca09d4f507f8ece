// The encapsulation mapping table of a host: (forwarder, flow identifier) -> four-tuple and
// connection id. An identifier whose connection has ended or left still resolves for two MSL, so
// that stragglers can be passed on, and belongs to that connection until then: mapping it to
// another one is refused.
//
// A packet carries no boot of its forwarder, so the table knows one boot of each forwarder at a
// time; the entries of any other boot are dropped.
#pragma once

#include <tsl/robin_map.h>

#include <deque>
#include <map>

#include "base/address.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/slab_map.h"
#include "base/time.h"

namespace migd {

struct EncapsulationMapping {
  FourTuple tuple;
  ConnectionId connection;
};

class EncapsulationMappingTable {
 public:
  explicit EncapsulationMappingTable(std::size_t mappings_max = 1u << 21)
      : max_(mappings_max), entries_(mappings_max) {
    first_of_.min_load_factor(0.1F);  // it shrinks again
  }

  // kRefused: of a boot that is not the forwarder's, or the identifier is another connection's.
  // kTooLarge: full.
  Result<void> map(NodeId from, Boot boot, FlowId flow, const EncapsulationMapping& mapping,
                   Instant now);
  // Every identifier of the connection.
  void unmap(const ConnectionId& connection, Instant now);
  // The forwarder's current boot.
  void set_boot(NodeId from, Boot boot);

  // When the next retired identifier may be forgotten.
  Instant next_deadline() const { return retired_.empty() ? kNever : retired_.front().until; }
  void on_deadline(Instant now) { forget_retired(now); }

  const EncapsulationMapping* find(NodeId from, FlowId flow) const;
  std::size_t size() const { return entries_.size(); }

 private:
  using Key = std::uint64_t;  // forwarder and flow identifier
  static constexpr Key kNone = ~Key{0};
  static Key key_of(NodeId from, FlowId flow) {
    return std::uint64_t{from.value} << 32 | flow.value;
  }
  struct KeyHash {
    std::size_t operator()(Key key) const {
      key *= 0x9e3779b97f4a7c15u;  // nobody outside chooses keys; identifiers are permuted as well
      return key ^ key >> 32;
    }
  };
  struct Entry {
    EncapsulationMapping mapping;
    Key next = kNone;                // of the same connection; a retired one is on no list
    Instant retired_until = kNever;  // kNever: live

    bool is_retired() const { return retired_until != kNever; }
  };
  struct Retired {
    Instant until;
    Key key;
  };

  void forget_retired(Instant now);
  void erase(Key key);
  void link(Key key, Entry& entry);
  void unlink(Key key, const Entry& entry);

  std::size_t max_;
  std::map<NodeId, Boot> boots_;
  SlabMap<Key, Entry, KeyHash> entries_;
  tsl::robin_map<ConnectionId, Key, std::hash<ConnectionId>> first_of_;  // its list of live ones
  std::deque<Retired> retired_;                                          // oldest first
};

}  // namespace migd
