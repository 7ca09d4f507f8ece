// A queue of a device in which only strangers' packets wait: when it is read, and when not.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/event_loop.h"
#include "stack/links/strangers_share.h"

namespace migd {

class StrangersQueue {
 public:
  struct Device {
    std::function<bool(int fd, int budget)> read;  // true: nothing is left
    std::function<void()> end_batch;
    std::function<std::uint64_t()> known_frames;  // so many have come, ever
  };

  // Closes `fd`.
  StrangersQueue(EventLoop& loop, int fd, Device device);
  ~StrangersQueue();

  // Out of turn, unless there are too many of them. False when some are left.
  bool read_now();
  void stop();
  std::uint64_t pauses() const { return pauses_; }

 private:
  void on_readable();
  void pause(Duration time);

  EventLoop& loop_;
  int fd_;
  Device device_;
  StrangersShare share_;
  std::uint64_t known_frames_ = 0;  // at the last batch
  std::uint64_t pauses_ = 0;
  bool paused_ = false;
  std::unique_ptr<FdWatch> watch_;
  std::unique_ptr<Timer> timer_;  // runs during a pause
};

}  // namespace migd
