#include "stack/links/intake.h"

#include <utility>

namespace migd {

// A large frame does not wait: its bytes are still in the cache that they were read into.
void Intake::take(Frame frame) {
  if (receiver_ == nullptr) return;
  const bool waits = frame.size() <= FramePool::kSmall && receiver_->looks_ahead();
  if (!waits) {
    flush();
    receiver_->on_frame(std::move(frame), loop_.now());
    return;
  }
  kept_[count_++] = std::move(frame);
  if (count_ == kGroup) flush();
}

void Intake::flush() {
  const std::size_t count = std::exchange(count_, 0);
  if (count > 1) receiver_->look_ahead(std::span(kept_).first(count));
  for (std::size_t i = 0; i < count; ++i)
    receiver_->on_frame(std::move(kept_[i]), loop_.now());
}

void Intake::end_batch() {
  flush();
  if (receiver_ != nullptr) receiver_->on_batch_end(loop_.now());
}

}  // namespace migd
