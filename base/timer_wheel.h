// Deadlines of many things at constant cost: a hierarchical timing wheel (Varghese and Lauck,
// scheme 7). Arming, re-arming and cancelling are O(1); a tick is kTick of time, and a timer never
// fires early and at most one tick late. The owner of the wheel asks next_deadline() and calls
// pop_expired(now) until it yields nothing; expired nodes are handed out one at a time, so that a
// handler may arm, cancel or destroy any node, itself included. However far the time has jumped,
// only slots that hold nodes are visited: a bitmap for each level says which.
#pragma once

#include <array>
#include <cstdint>

#include "base/time.h"

namespace migd {

class TimerWheel {
 public:
  static constexpr Duration kTick = 1ms;

  // Embedded in the thing that has the deadline. Its destructor cancels it.
  class Node {
   public:
    Node() = default;
    ~Node() { cancel(); }
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    bool armed() const { return previous_ != nullptr; }
    Instant deadline() const { return deadline_; }
    void cancel();

   private:
    friend class TimerWheel;
    Node* previous_ = nullptr;  // circular list through a slot's head
    Node* next_ = nullptr;
    Instant deadline_ = kNever;
  };

  explicit TimerWheel(Instant start);
  ~TimerWheel();

  // Re-arms when it is armed. A deadline that has passed means "at the next pop_expired()"; kNever
  // cancels.
  void arm(Node& node, Instant deadline);
  // The earliest instant at which pop_expired() has something to do (kNever when nothing is armed).
  // It may be early (a cascade), never late.
  Instant next_deadline() const;
  // The next node whose deadline has come, disarmed; nullptr when there is none left.
  Node* pop_expired(Instant now);

 private:
  static constexpr int kLevels = 4;
  static constexpr int kSlotBits = 8;
  static constexpr int kSlots = 1 << kSlotBits;

  static constexpr std::uint64_t kNoTick = ~std::uint64_t{0};

  // One bit for each slot. A node that is cancelled leaves its bit behind; whoever finds the slot
  // empty clears it.
  using Bitmap = std::array<std::uint64_t, kSlots / 64>;

  std::uint64_t tick_of(Instant t) const;  // rounded up
  Instant instant_of(std::uint64_t tick) const;
  void insert(Node& node);
  void cascade(int level);
  void advance_to(std::uint64_t tick);
  // The first tick after `current_tick_` at which a slot of the level is due, or kNoTick.
  std::uint64_t next_tick(int level) const;
  std::uint64_t next_tick() const;
  bool slot_in_use(int level, std::size_t slot) const;

  Instant start_;
  std::uint64_t current_tick_ = 0;                       // ticks before this one are done
  std::array<std::array<Node, kSlots>, kLevels> slots_;  // heads of circular lists
  mutable std::array<Bitmap, kLevels> in_use_{};
};

}  // namespace migd
