// The bytes that all connections of a stack keep: unread, out of order, and to be sent.
//
// Nothing is ended, taken back or forgotten when they become many. From three quarters on each
// direction of a connection may keep an equal share, which new windows and writes respect; a window
// that is larger was promised before, and is kept as long as there is room. When there is none a
// direction has kEach, so that every stream whose reader reads goes on.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace migd {

class MemoryBudget {
 public:
  static constexpr std::uint64_t kEach = 4u << 10;

  explicit MemoryBudget(std::uint64_t most) : most_(most) {}

  // A connection that kept `before` bytes keeps `now` bytes.
  void recount(std::uint64_t& before, std::uint64_t now) {
    kept_ += now - before;
    before = now;
  }
  std::uint64_t kept() const { return kept_; }
  std::uint64_t left() const { return most_ - std::min(most_, kept_); }
  bool full() const { return left() == 0; }
  bool scarce() const { return kept_ >= most_ - most_ / 4; }

  // What a direction of one of so many connections may keep.
  std::uint64_t share(std::size_t connections) const {
    if (!scarce()) return std::numeric_limits<std::uint64_t>::max();
    return full() ? kEach
                  : std::max<std::uint64_t>(kEach, most_ / std::max<std::size_t>(connections, 1));
  }
  // What a direction that keeps so much may take of what it was promised.
  std::uint64_t room(std::uint64_t kept) const {
    return std::max(left(), kEach - std::min(kEach, kept));
  }
  // What it may take of what it was not.
  std::uint64_t new_room(std::uint64_t kept, std::size_t connections) const {
    const std::uint64_t most = share(connections);
    return std::min(most - std::min(most, kept), room(kept));
  }

 private:
  const std::uint64_t most_;
  std::uint64_t kept_ = 0;
};

}  // namespace migd
