// Connections by four-tuple and by id. The hash is keyed, for a stranger chooses the tuples.
#pragma once

#include <tsl/robin_set.h>

#include "base/large_memory.h"
#include "base/siphash.h"
#include "stack/tcp_connection.h"

namespace migd {

class ConnectionTable {
 public:
  explicit ConnectionTable(const SipKey& key) : by_tuple_(0, Hash{key}) {
    by_tuple_.max_load_factor(kFull);
    by_id_.max_load_factor(kFull);
  }

  TcpConnection* find(const FourTuple& tuple) const {
    auto found = by_tuple_.find(tuple);
    return found == by_tuple_.end() ? nullptr : *found;
  }
  TcpConnection* find(const ConnectionId& id) const {
    auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : *found;
  }

  // Neither tuple nor id may be there already.
  void insert(TcpConnection& connection);
  void erase(TcpConnection& connection);

  std::size_t size() const { return by_tuple_.size(); }
  auto begin() const { return by_tuple_.begin(); }
  auto end() const { return by_tuple_.end(); }

 private:
  struct Hash {
    using is_transparent = void;
    SipKey key;
    std::size_t operator()(const FourTuple& tuple) const;
    std::size_t operator()(const TcpConnection* connection) const {
      return (*this)(connection->tuple());
    }
  };
  struct Equal {
    using is_transparent = void;
    static const FourTuple& tuple_of(const FourTuple& tuple) { return tuple; }
    static const FourTuple& tuple_of(const TcpConnection* connection) {
      return connection->tuple();
    }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return tuple_of(a) == tuple_of(b);
    }
  };

  struct IdHash {
    using is_transparent = void;
    std::size_t operator()(const ConnectionId& id) const { return std::hash<ConnectionId>()(id); }
    std::size_t operator()(const TcpConnection* connection) const {
      return (*this)(connection->id());
    }
  };
  struct IdEqual {
    using is_transparent = void;
    static const ConnectionId& id_of(const ConnectionId& id) { return id; }
    static const ConnectionId& id_of(const TcpConnection* connection) { return connection->id(); }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return id_of(a) == id_of(b);
    }
  };

  static constexpr float kFull = 0.8F;  // then they double: memory for a probe or two more

  tsl::robin_set<TcpConnection*, Hash, Equal, LargeAllocator<TcpConnection*>, /*StoreHash=*/true>
      by_tuple_;
  tsl::robin_set<TcpConnection*, IdHash, IdEqual, LargeAllocator<TcpConnection*>,
                 /*StoreHash=*/true>
      by_id_;
};

}  // namespace migd
