// Intake: what a device has read, on its way to the receiver. Frames go on one by one, as they
// come, unless the receiver looks ahead: then small ones are kept until there are some to look at.
#pragma once

#include <array>

#include "base/event_loop.h"
#include "base/frame.h"

namespace migd {

class Intake {
 public:
  static constexpr std::size_t kGroup = 8;

  explicit Intake(const EventLoop& loop) : loop_(loop) {}

  void set_receiver(FrameSink* receiver) { receiver_ = receiver; }
  void take(Frame frame);
  // Nothing else has been read: what is kept goes on.
  void flush();
  void end_batch();  // flushes

 private:
  const EventLoop& loop_;
  FrameSink* receiver_ = nullptr;  // null: frames are let go
  std::array<Frame, kGroup> kept_;
  std::size_t count_ = 0;
};

}  // namespace migd
