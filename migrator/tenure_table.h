// Things by tenure, at constant cost however many are remembered: by connection, and for each of
// those the few tenures that a node has had to do with, in the order of their epochs.
#pragma once

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.h"

namespace migd {

template <typename T>
class TenureTable {
 public:
  // Null: not known.
  T* find(const Tenure& tenure) const {
    const auto found = connections_.find(tenure.connection);
    if (found == connections_.end()) return nullptr;
    for (const auto& [epoch, thing] : found->second)
      if (epoch == tenure.epoch) return thing.get();
    return nullptr;
  }
  // Replaces what was there.
  T& put(const Tenure& tenure, std::unique_ptr<T> thing) {
    auto& all = connections_[tenure.connection];
    const auto at =
        std::lower_bound(all.begin(), all.end(), tenure.epoch,
                         [](const auto& entry, Epoch epoch) { return entry.first < epoch; });
    if (at != all.end() && at->first == tenure.epoch) {
      at->second = std::move(thing);
      return *at->second;
    }
    return *all.insert(at, {tenure.epoch, std::move(thing)})->second;
  }
  // Null: it was not there.
  std::unique_ptr<T> take(const Tenure& tenure) {
    const auto found = connections_.find(tenure.connection);
    if (found == connections_.end()) return nullptr;
    auto& all = found->second;
    const auto at = std::find_if(all.begin(), all.end(),
                                 [&](const auto& entry) { return entry.first == tenure.epoch; });
    if (at == all.end()) return nullptr;
    std::unique_ptr<T> taken = std::move(at->second);
    all.erase(at);
    if (all.empty()) connections_.erase(found);
    return taken;
  }

  // Of a connection, the highest epoch first, below `below`; until `visit` returns false. It may
  // change what it sees, but not the table.
  template <typename Visit>
  void visit_down(const ConnectionId& connection, Epoch below, Visit&& visit) const {
    const auto found = connections_.find(connection);
    if (found == connections_.end()) return;
    for (auto it = found->second.rbegin(); it != found->second.rend(); ++it) {
      if (it->first < below && !visit(*it->second)) return;
    }
  }
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [connection, all] : connections_) {
      for (const auto& [epoch, thing] : all)
        visit(Tenure{connection, epoch}, *thing);
    }
  }
  // The one with the highest epoch; null: none.
  const T* latest(const ConnectionId& connection) const {
    const auto found = connections_.find(connection);
    return found == connections_.end() ? nullptr : found->second.back().second.get();
  }
  Epoch latest_epoch(const ConnectionId& connection) const {  // 0: none
    const auto found = connections_.find(connection);
    return found == connections_.end() ? Epoch{} : found->second.back().first;
  }

 private:
  using All = std::vector<std::pair<Epoch, std::unique_ptr<T>>>;
  std::unordered_map<ConnectionId, All> connections_;
};

}  // namespace migd
