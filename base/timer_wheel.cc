#include "base/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace migd {

void TimerWheel::Node::cancel() {
  if (previous_ == nullptr) return;
  previous_->next_ = next_;
  next_->previous_ = previous_;
  previous_ = next_ = nullptr;
  deadline_ = kNever;
}

TimerWheel::TimerWheel(Instant start) : start_(start) {
  for (auto& level : slots_) {
    for (Node& head : level)
      head.previous_ = head.next_ = &head;
  }
}

TimerWheel::~TimerWheel() {
  for (auto& level : slots_) {
    for (Node& head : level) {
      while (head.next_ != &head)
        head.next_->cancel();
    }
  }
}

std::uint64_t TimerWheel::tick_of(Instant t) const {
  if (t <= start_) return 0;
  return static_cast<std::uint64_t>(((t - start_) - Duration(1)) / kTick) + 1;
}

Instant TimerWheel::instant_of(std::uint64_t tick) const {
  return start_ + static_cast<std::int64_t>(tick) * kTick;
}

void TimerWheel::arm(Node& node, Instant deadline) {
  node.cancel();
  if (deadline == kNever) return;
  node.deadline_ = deadline;
  insert(node);
}

// Level n holds what is due in less than 2^(8(n+1)) ticks, in slots of 2^(8n) ticks each. What is
// due later than the last level reaches waits there, and is looked at again when its slot comes.
void TimerWheel::insert(Node& node) {
  constexpr std::uint64_t kReach = (std::uint64_t{1} << (kLevels * kSlotBits)) - 1;
  const std::uint64_t ahead =
      std::min(std::max(tick_of(node.deadline_), current_tick_) - current_tick_, kReach);
  const int level = ahead == 0 ? 0 : (std::bit_width(ahead) - 1) / kSlotBits;
  const std::size_t slot = (current_tick_ + ahead) >> (level * kSlotBits) & (kSlots - 1);
  const auto l = static_cast<std::size_t>(level);
  Node& head = slots_[l][slot];
  node.previous_ = head.previous_;
  node.next_ = &head;
  head.previous_->next_ = &node;
  head.previous_ = &node;
  in_use_[l][slot / 64] |= std::uint64_t{1} << slot % 64;
}

bool TimerWheel::slot_in_use(int level, std::size_t slot) const {
  const auto l = static_cast<std::size_t>(level);
  const Node& head = slots_[l][slot];
  if (head.next_ != &head) return true;
  in_use_[l][slot / 64] &= ~(std::uint64_t{1} << slot % 64);
  return false;
}

std::uint64_t TimerWheel::next_tick(int level) const {
  const Bitmap& bits = in_use_[static_cast<std::size_t>(level)];
  const std::uint64_t turn = current_tick_ >> (level * kSlotBits);  // slots passed since the start
  // Once around, from the slot behind the current one up to the current one itself, which then
  // stands for a full turn from now.
  for (std::uint64_t step = 1; step <= kSlots;) {
    const std::size_t slot = (turn + step) & (kSlots - 1);
    const std::uint64_t rest_of_word = bits[slot / 64] >> slot % 64;
    if (rest_of_word == 0) {
      step += 64 - slot % 64;
      continue;
    }
    step += static_cast<std::uint64_t>(std::countr_zero(rest_of_word));
    if (step > kSlots) break;
    if (slot_in_use(level, (turn + step) & (kSlots - 1))) return (turn + step) << level * kSlotBits;
    ++step;
  }
  return kNoTick;
}

std::uint64_t TimerWheel::next_tick() const {
  std::uint64_t earliest = kNoTick;
  for (int level = 0; level < kLevels; ++level)
    earliest = std::min(earliest, next_tick(level));
  return earliest;
}

Instant TimerWheel::next_deadline() const {
  if (slot_in_use(0, current_tick_ & (kSlots - 1))) return instant_of(current_tick_);
  const std::uint64_t tick = next_tick();
  return tick == kNoTick ? kNever : instant_of(tick);
}

// Moves the nodes of the level's current slot to where they now belong, in their order.
void TimerWheel::cascade(int level) {
  const std::size_t slot = current_tick_ >> (level * kSlotBits) & (kSlots - 1);
  Node& head = slots_[static_cast<std::size_t>(level)][slot];
  Node* node = head.next_;
  head.previous_ = head.next_ = &head;
  while (node != &head) {
    Node* const next = node->next_;
    insert(*node);
    node = next;
  }
}

void TimerWheel::advance_to(std::uint64_t tick) {
  current_tick_ = tick;
  for (int level = kLevels - 1; level > 0; --level) {
    const std::uint64_t below = (std::uint64_t{1} << level * kSlotBits) - 1;
    if ((current_tick_ & below) == 0) cascade(level);
  }
}

TimerWheel::Node* TimerWheel::pop_expired(Instant now) {
  if (now < start_) return nullptr;
  const auto last = static_cast<std::uint64_t>((now - start_) / kTick);
  for (;;) {
    const std::size_t slot = current_tick_ & (kSlots - 1);
    // What was armed for a tick that had passed already waits in the current slot.
    if (current_tick_ <= last && slot_in_use(0, slot)) {
      Node* const node = slots_[0][slot].next_;
      node->cancel();
      return node;
    }
    if (current_tick_ >= last) return nullptr;
    advance_to(std::min(next_tick(), last));
  }
}

}  // namespace migd
