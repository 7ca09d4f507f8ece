// Keeps the frames that it is given.
#pragma once

#include <functional>
#include <vector>

#include "base/frame.h"

namespace migd::test {

struct RecordingSink : FrameSink {
  void on_frame(Frame frame, Instant now) override {
    frames.push_back(std::move(frame));
    times.push_back(now);
    if (react) react();
  }
  void on_batch_end(Instant) override { ++batches; }

  std::vector<Frame> frames;
  std::vector<Instant> times;
  int batches = 0;
  std::function<void()> react;  // after each frame
};

}  // namespace migd::test
