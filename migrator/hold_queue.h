// HoldQueue: packets of one flow that must wait, in the order in which they came. Bounded by the
// window that was advertised: what exceeds it is not ours to keep. The buffers behind tiny packets
// and short trains are charged as what they cost, up to what the largest of windows would need.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/frame.h"
#include "base/limits.h"

namespace migd {

class HoldQueue {
 public:
  // window_bytes: the most unacknowledged payload that the client may have on its way.
  explicit HoldQueue(std::uint32_t window_bytes) : window_bytes_(window_bytes) {}

  // False when the packet is over the bound; it stays with the caller.
  bool push(Frame& frame) {
    if (held_bytes_ + frame.size() > bytes_max() || charge_ + frame.charge() > kChargeMax) {
      return false;
    }
    held_bytes_ += frame.size();
    charge_ += frame.charge();
    frames_.push_back(std::move(frame));
    return true;
  }

  // All of it, oldest first; the queue is empty afterwards.
  std::vector<Frame> take() {
    held_bytes_ = charge_ = 0;
    return std::exchange(frames_, {});
  }

  bool empty() const { return frames_.empty(); }
  std::size_t size() const { return frames_.size(); }
  std::size_t charge() const { return charge_; }

 private:
  static constexpr std::size_t kChargeMax =
      2 * std::size_t{limits::kWindowMax} + (512u << 10);  // of one flow
  // The window, and as much as headers, pure ACKs, probes and retransmissions may add to it.
  std::size_t bytes_max() const { return std::size_t{window_bytes_} * 3 / 2 + (64u << 10); }

  std::uint32_t window_bytes_;
  std::size_t held_bytes_ = 0;
  std::size_t charge_ = 0;
  std::vector<Frame> frames_;  // costs nothing while it is empty, as most are
};

}  // namespace migd
