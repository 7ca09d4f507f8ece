// A hash map for a million entries that are met at random. The entries live in a slab and are found
// through a set of their numbers: growing moves only the numbers, and an entry stays where it is
// until it is erased. A map whose entries lay in its buckets would, when it doubles, touch for each
// of them as much new memory as four entries take, all in one go.
//
// The memory of many is given back when the last of them is erased.
#pragma once

#include <tsl/robin_set.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/slab.h"

namespace migd {

template <typename Key, typename T, typename KeyHash>
class SlabMap {
 public:
  explicit SlabMap(std::size_t most, KeyHash hash = {})
      : slab_(most), index_(0, Hash{this, hash}, Equal{this}) {
    index_.min_load_factor(0.1F);  // it shrinks again
  }
  SlabMap(const SlabMap&) = delete;
  SlabMap& operator=(const SlabMap&) = delete;

  std::size_t size() const { return index_.size(); }
  bool empty() const { return index_.empty(); }

  // Null: there is none. Valid until the entry is erased.
  const T* find(const Key& key) const {
    const auto it = index_.find(key);
    return it == index_.end() ? nullptr : &slab_[*it].value;
  }
  T* find(const Key& key) { return const_cast<T*>(std::as_const(*this).find(key)); }

  // In the place of what is there. A new one needs room.
  T& put(const Key& key, T value) {
    if (T* const found = find(key)) return *found = std::move(value);
    const Number number = take_number();
    slab_[number] = {key, std::move(value)};
    index_.insert(number);
    return slab_[number].value;
  }
  bool erase(const Key& key) {
    const auto it = index_.find(key);
    if (it == index_.end()) return false;
    free_.push_back(*it);
    index_.erase(it);
    if (index_.empty()) start_over();
    return true;
  }
  // visit(key, value), in no order; it must not change the map.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Number number : index_)
      visit(slab_[number].key, slab_[number].value);
  }

 private:
  using Number = std::uint32_t;
  struct Entry {
    Key key;
    T value;
  };

  struct Hash {
    using is_transparent = void;
    const SlabMap* map;
    KeyHash hash;
    std::size_t operator()(const Key& key) const { return hash(key); }
    std::size_t operator()(Number n) const { return hash(map->slab_[n].key); }
  };
  struct Equal {
    using is_transparent = void;
    const SlabMap* map;
    bool operator()(Number a, Number b) const { return a == b; }
    bool operator()(const Key& a, Number b) const { return a == map->slab_[b].key; }
    bool operator()(Number a, const Key& b) const { return map->slab_[a].key == b; }
  };

  Number take_number() {
    if (free_.empty()) {
      slab_.emplace_back();
      return static_cast<Number>(slab_.size() - 1);
    }
    const Number number = free_.back();
    free_.pop_back();
    return number;
  }
  void start_over() {
    free_ = {};
    slab_.clear();
  }

  Slab<Entry> slab_;
  std::vector<Number> free_;
  tsl::robin_set<Number, Hash, Equal, LargeAllocator<Number>, /*StoreHash=*/true> index_;
};

}  // namespace migd
