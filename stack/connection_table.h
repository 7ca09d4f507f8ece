// What a stack keeps of connections, by four-tuple and by id. The hash is keyed, for a stranger
// chooses the tuples.
#pragma once

#include <tsl/robin_set.h>

#include "base/check.h"
#include "base/four_tuple_hash.h"
#include "base/ids.h"
#include "base/known_flows.h"
#include "base/large_memory.h"

namespace migd {

// Of a T is asked tuple() and id(). Not owned.
template <typename T>
class ConnectionTable {
 public:
  // `known` (not owned, or null) is told of each entry.
  ConnectionTable(const SipKey& key, KnownFlows* known)
      : by_tuple_(0, Hash<TupleOf>{{key}}), known_(known) {
    by_tuple_.max_load_factor(kFull);
    by_id_.max_load_factor(kFull);
  }

  T* find(const FourTuple& tuple) const { return found(by_tuple_, tuple); }
  T* find(const ConnectionId& id) const { return found(by_id_, id); }

  // Neither tuple nor id may be there already.
  void insert(T& entry) {
    MIGD_CHECK(by_tuple_.insert(&entry).second);
    MIGD_CHECK(by_id_.insert(&entry).second);
    if (known_ != nullptr) known_->add(entry.tuple());
  }
  void erase(T& entry) {
    MIGD_CHECK(by_tuple_.erase(&entry) == 1);
    MIGD_CHECK(by_id_.erase(&entry) == 1);
    if (known_ != nullptr) known_->remove(entry.tuple());
  }

  std::size_t size() const { return by_tuple_.size(); }
  bool empty() const { return by_tuple_.empty(); }
  auto begin() const { return by_tuple_.begin(); }
  auto end() const { return by_tuple_.end(); }

 private:
  static constexpr float kFull = 0.8F;  // then it doubles: memory for a probe or two more

  struct TupleOf {
    using Key = FourTuple;
    using KeyHash = FourTupleHash;
    static const Key& key(const T* entry) { return entry->tuple(); }
    static const Key& key(const Key& key) { return key; }
  };
  struct IdOf {
    using Key = ConnectionId;
    using KeyHash = std::hash<ConnectionId>;
    static const Key& key(const T* entry) { return entry->id(); }
    static const Key& key(const Key& key) { return key; }
  };

  template <typename Of>
  struct Hash {
    using is_transparent = void;
    typename Of::KeyHash hash{};
    template <typename A>
    std::size_t operator()(const A& a) const {
      return hash(Of::key(a));
    }
  };
  template <typename Of>
  struct Equal {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return Of::key(a) == Of::key(b);
    }
  };
  template <typename Of>
  using Set = tsl::robin_set<T*, Hash<Of>, Equal<Of>, LargeAllocator<T*>, /*StoreHash=*/true>;

  template <typename S, typename Key>
  static T* found(const S& set, const Key& key) {
    const auto it = set.find(key);
    return it == set.end() ? nullptr : *it;
  }

  Set<TupleOf> by_tuple_;
  Set<IdOf> by_id_;
  KnownFlows* known_;
};

}  // namespace migd
