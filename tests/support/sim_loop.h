// Virtual time. SimLoop is the world: one queue of events, run in the order (time, sequence
// number), so a run depends on nothing but its inputs. SimNodeLoop is the event loop that one
// simulated process sees: its clock has an origin and a bounded rate error of its own; pausing it
// (SIGSTOP) delivers everything late, killing it drops every timer and task that waits.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/event_loop.h"

namespace migd::sim {

class SimLoop {
 public:
  using Task = std::function<void()>;

  // Names a scheduled event until it has run.
  struct Handle {
    Instant at = kNever;
    std::uint64_t sequence = 0;
    auto operator<=>(const Handle&) const = default;
  };

  Instant now() const { return now_; }
  std::uint64_t steps() const { return steps_; }
  bool idle() const { return queue_.empty(); }

  Handle schedule(Instant at, Task task);  // the past means now
  void cancel(Handle handle);              // harmless when it has run

  bool step();  // runs the earliest event; false when there is none
  void run_until(Instant end);
  void run_for(Duration d) { run_until(now_ + d); }
  // Until `done` holds (checked after each event); false when `end` or the last event came first.
  bool run_until(const std::function<bool()>& done, Instant end);

 private:
  Instant now_{};
  std::uint64_t next_sequence_ = 1;
  std::uint64_t steps_ = 0;
  std::map<Handle, Task> queue_;
};

// How a process's clock relates to the world's.
struct SimClock {
  Duration origin{};           // what it shows when the world's clock shows zero
  std::int64_t error_ppm = 0;  // how much faster it runs

  Instant local(Instant world) const;
  Instant world(Instant local) const;  // the first world time at which it shows `local` or later
};

class SimNodeLoop : public EventLoop {
 public:
  SimNodeLoop(SimLoop& world, SimClock clock) : world_(world), clock_(clock) {}
  ~SimNodeLoop() override { kill(); }

  Instant now() const override { return clock_.local(world_.now()); }
  std::unique_ptr<Timer> make_timer(std::function<void()> on_expiry) override;
  // Simulated processes have no file descriptors: CHECKs.
  std::unique_ptr<FdWatch> watch(int fd, FdEvents interest,
                                 std::function<void(FdEvents)> on_ready) override;
  void post(std::function<void()> task) override;
  void run() override;  // runs the whole world, until stop() or until nothing is left to happen
  void stop() override { stopped_ = true; }

  // A task that runs at a world time, as a packet's arrival does: late when paused, never when
  // killed.
  std::uint64_t schedule(Instant world_at, SimLoop::Task task);
  void cancel(std::uint64_t id);

  void pause() { paused_ = true; }
  void resume();
  void kill();
  bool paused() const { return paused_; }
  bool alive() const { return alive_; }
  SimLoop& world() { return world_; }
  const SimClock& clock() const { return clock_; }

 private:
  class SimTimer;
  struct Waiting {
    SimLoop::Handle handle;
    SimLoop::Task task;
  };
  void fire(std::uint64_t id);

  SimLoop& world_;
  SimClock clock_;
  bool alive_ = true;
  bool paused_ = false;
  bool stopped_ = false;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, Waiting> waiting_;
  std::vector<std::uint64_t> late_;  // came due while paused, in order
};

}  // namespace migd::sim
