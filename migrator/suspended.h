// The states of applications that have left a connection, by their names: with one of them the
// application can go on where it stopped, on this node or another.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"

namespace migd {

class SuspendedStates {
 public:
  static constexpr std::size_t kCountMax = 4;  // together at most kApplicationStateMax bytes

  struct Entry {
    std::string application;
    Bytes state;
    bool operator==(const Entry&) const = default;
  };

  // A later state of the same application replaces the earlier one.
  Result<void> put(const std::string& application, Bytes state) {
    std::size_t size = state.size();
    std::size_t count = 1;
    for (const Entry& entry : entries_) {
      if (entry.application == application) continue;
      size += entry.state.size();
      ++count;
    }
    if (size > limits::kApplicationStateMax) {
      return fail(ErrorCode::kTooLarge, "application_state_too_large");
    }
    if (count > kCountMax) return fail(ErrorCode::kTooLarge, "too_many_suspended_applications");
    remove(application);
    entries_.push_back({application, std::move(state)});
    return {};
  }
  void remove(const std::string& application) {
    std::erase_if(entries_, [&](const Entry& e) { return e.application == application; });
  }
  const Bytes* find(const std::string& application) const {
    const auto it = std::find_if(entries_.begin(), entries_.end(),
                                 [&](const Entry& e) { return e.application == application; });
    return it == entries_.end() ? nullptr : &it->state;
  }

  bool empty() const { return entries_.empty(); }
  const std::vector<Entry>& entries() const { return entries_; }  // the last has left last
  bool operator==(const SuspendedStates&) const = default;

 private:
  std::vector<Entry> entries_;
};

}  // namespace migd
