#include "stack/links/fault_line.h"

#include <algorithm>
#include <utility>

namespace migd {

FaultLine::FaultLine(const FaultOptions& options, Rng& rng, Output output)
    : options_(options), rng_(rng), output_(std::move(output)) {}

bool FaultLine::chance(double probability) {
  return probability > 0 && static_cast<double>(rng_.u64() >> 11) * 0x1p-53 < probability;
}

Duration FaultLine::random_up_to(Duration most) {
  if (most <= Duration::zero()) return Duration::zero();
  return Duration(
      static_cast<std::int64_t>(rng_.u64() % (static_cast<std::uint64_t>(most.count()) + 1)));
}

void FaultLine::corrupt(Frame& frame) {
  if (frame.size() == 0) return;
  const std::uint64_t bit = rng_.u64() % (frame.size() * 8);
  frame.data()[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
  // A partial checksum would be completed over the damage, and one that was verified believed.
  frame.offload.checksum = Offload::Checksum::kUnknown;
  ++counters_.corrupted;
}

void FaultLine::input(Frame frame, Instant now) {
  if (chance(options_.loss)) {
    ++counters_.lost;
    return;
  }
  if (chance(options_.corruption)) corrupt(frame);
  Frame copy;
  if (chance(options_.duplication)) {
    copy = frame.clone();
    ++counters_.duplicated;
  }
  if (chance(options_.reordering)) {
    ++counters_.reordered;
    hold(std::move(frame), now + options_.delay + options_.reorder_time, options_.reorder_frames);
  } else {
    pass(std::move(frame), now);
  }
  if (copy) pass(std::move(copy), now);
}

void FaultLine::pass(Frame frame, Instant now) {
  const Duration delay = options_.delay + random_up_to(options_.jitter);
  if (delay == Duration::zero() && last_due_ <= now) {
    emit(std::move(frame), now);
    return;
  }
  last_due_ = std::max(last_due_, now + delay);
  hold(std::move(frame), last_due_, 0);
}

void FaultLine::hold(Frame frame, Instant until, int frames_to_pass) {
  held_.emplace(until, Held{std::move(frame), frames_to_pass});
}

// Frees the reordered that have let enough others pass.
void FaultLine::count_passed(Instant now) {
  std::vector<Frame> free;
  for (auto it = held_.begin(); it != held_.end();) {
    const bool freed = it->second.frames_to_pass > 0 && --it->second.frames_to_pass == 0;
    if (freed) free.push_back(std::move(it->second.frame));
    it = freed ? held_.erase(it) : std::next(it);
  }
  for (Frame& frame : free)
    output_(std::move(frame), now);
}

void FaultLine::emit(Frame frame, Instant now) {
  output_(std::move(frame), now);
  count_passed(now);
}

Instant FaultLine::next_deadline() const {
  return held_.empty() ? kNever : held_.begin()->first;
}

void FaultLine::on_deadline(Instant now) {
  while (!held_.empty() && held_.begin()->first <= now) {
    Held held = std::move(held_.extract(held_.begin()).mapped());
    const bool was_reordered = held.frames_to_pass > 0;
    if (was_reordered) {
      output_(std::move(held.frame), now);
    } else {
      emit(std::move(held.frame), now);
    }
  }
}

}  // namespace migd
