// The event loop as the rest of migd sees it. Two implementations: base/uv (libuv, the daemon) and
// the simulator's (tests/sim, virtual time); one contract test runs on both. Engines do not get the
// loop: they are told the time and asked for their next deadline. Only devices, sockets, the admin
// server and the composition root use it.
#pragma once

#include <functional>
#include <memory>

#include "base/time.h"

namespace migd {

// One timer. Destroying it stops it; its callback never runs after that.
class Timer {
 public:
  virtual ~Timer() = default;
  virtual void start(Instant deadline) = 0;  // replaces an earlier deadline; the past means "soon"
  virtual void stop() = 0;
};

struct FdEvents {
  bool readable = false;
  bool writable = false;
};

// Level-triggered interest in a file descriptor (not owned). Destroying it ends the interest.
class FdWatch {
 public:
  virtual ~FdWatch() = default;
  virtual void set_interest(FdEvents interest) = 0;
};

class EventLoop {
 public:
  virtual ~EventLoop() = default;

  virtual Instant now() const = 0;  // the clock itself, not a time cached for this iteration
  virtual std::unique_ptr<Timer> make_timer(std::function<void()> on_expiry) = 0;
  virtual std::unique_ptr<FdWatch> watch(int fd, FdEvents interest,
                                         std::function<void(FdEvents)> on_ready) = 0;
  // Runs the task after the current callback has returned, before the loop waits again.
  virtual void post(std::function<void()> task) = 0;

  virtual void run() = 0;  // until stop()
  virtual void stop() = 0;
};

}  // namespace migd
