// The daemon's event loop, on libuv.
//
// libuv's own timers count milliseconds, too coarse for pacing and round trips on a local network,
// so ours are one ordered set, and those that are due run once in each turn of the loop. A timerfd
// ends the wait for the earliest. To arm it for a near deadline is dear (20 us were measured in a
// virtual machine, where it takes an exit to the hypervisor), so that happens only before the loop
// really waits, and only for a deadline that is earlier than the one it is armed for: most protocol
// deadlines just move back.
//
// libuv closes handles asynchronously: what a Timer or FdWatch stands for outlives it until libuv
// lets go, so each may be destroyed from inside its own callback.
#pragma once

#include <functional>
#include <memory>

#include "base/event_loop.h"

struct uv_loop_s;

namespace migd {

class UvLoop : public EventLoop {
 public:
  UvLoop();
  // What was made from the loop (timers, watches, sockets) must be gone by now: CHECKed.
  ~UvLoop() override;
  UvLoop(const UvLoop&) = delete;
  UvLoop& operator=(const UvLoop&) = delete;

  Instant now() const override;  // CLOCK_MONOTONIC
  std::unique_ptr<Timer> make_timer(std::function<void()> on_expiry) override;
  std::unique_ptr<FdWatch> watch(int fd, FdEvents interest,
                                 std::function<void(FdEvents)> on_ready) override;
  void post(std::function<void()> task) override;
  void run() override;
  void stop() override;

  // Calls `on_raised` from the loop, as often as the signal comes. For the life of the loop.
  void on_signal(int signal_number, std::function<void()> on_raised);

  uv_loop_s* handle();  // for base/uv only

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace migd
