#include "tests/support/sim_loop.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace migd::sim {

SimLoop::Handle SimLoop::schedule(Instant at, Task task) {
  const Handle handle{std::max(at, now_), next_sequence_++};
  queue_.emplace(handle, std::move(task));
  return handle;
}

void SimLoop::cancel(Handle handle) {
  queue_.erase(handle);
}

bool SimLoop::step() {
  if (queue_.empty() || queue_.begin()->first.at == kNever) return false;
  auto node = queue_.extract(queue_.begin());
  now_ = node.key().at;
  ++steps_;
  node.mapped()();
  return true;
}

void SimLoop::run_until(Instant end) {
  while (!queue_.empty() && queue_.begin()->first.at <= end)
    step();
  now_ = std::max(now_, end);
}

bool SimLoop::run_until(const std::function<bool()>& done, Instant end) {
  while (!done()) {
    if (queue_.empty() || queue_.begin()->first.at > end) return false;
    step();
  }
  return true;
}

namespace {

constexpr std::int64_t kMillion = 1'000'000;

std::int64_t with_error(std::int64_t elapsed, std::int64_t error_ppm) {
  // Split so that products of years and parts per million stay in 64 bits.
  return elapsed + elapsed / kMillion * error_ppm + elapsed % kMillion * error_ppm / kMillion;
}

}  // namespace

Instant SimClock::local(Instant world) const {
  const std::int64_t elapsed = world.time_since_epoch().count();
  return Instant(origin + Duration(with_error(elapsed, error_ppm)));
}

Instant SimClock::world(Instant local_time) const {
  if (local_time == kNever) return kNever;
  const std::int64_t shown = (local_time.time_since_epoch() - origin).count();
  Instant guess{Duration(with_error(shown, -error_ppm))};
  while (local(guess) < local_time)
    guess += local_time - local(guess);
  while (local(guess - Duration(1)) >= local_time) {
    guess -= std::max(Duration(1), (local(guess) - local_time) / 2);
  }
  return guess;
}

// The callback is shared with the queued task, so that it may destroy its own timer.
class SimNodeLoop::SimTimer : public Timer {
 public:
  SimTimer(SimNodeLoop& loop, std::function<void()> on_expiry)
      : loop_(loop), on_expiry_(std::make_shared<std::function<void()>>(std::move(on_expiry))) {}
  ~SimTimer() override { stop(); }

  void start(Instant deadline) override {
    stop();
    id_ = loop_.schedule(loop_.clock_.world(deadline), [callback = on_expiry_] { (*callback)(); });
  }
  void stop() override { loop_.cancel(std::exchange(id_, 0)); }

 private:
  SimNodeLoop& loop_;
  std::shared_ptr<std::function<void()>> on_expiry_;
  std::uint64_t id_ = 0;
};

std::unique_ptr<Timer> SimNodeLoop::make_timer(std::function<void()> on_expiry) {
  return std::make_unique<SimTimer>(*this, std::move(on_expiry));
}

std::unique_ptr<FdWatch> SimNodeLoop::watch(int /*fd*/, FdEvents /*interest*/,
                                            std::function<void(FdEvents)> /*on_ready*/) {
  MIGD_CHECK(!"a simulated process has no file descriptors");
  return nullptr;
}

void SimNodeLoop::post(std::function<void()> task) {
  schedule(world_.now(), std::move(task));
}

void SimNodeLoop::run() {
  stopped_ = false;
  while (!stopped_ && world_.step()) {
  }
}

std::uint64_t SimNodeLoop::schedule(Instant world_at, SimLoop::Task task) {
  if (!alive_ || world_at == kNever) return 0;
  const std::uint64_t id = next_id_++;
  const SimLoop::Handle handle = world_.schedule(world_at, [this, id] { fire(id); });
  waiting_.emplace(id, Waiting{handle, std::move(task)});
  return id;
}

void SimNodeLoop::cancel(std::uint64_t id) {
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return;
  world_.cancel(found->second.handle);
  waiting_.erase(found);
}

void SimNodeLoop::fire(std::uint64_t id) {
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return;
  if (paused_) {
    late_.push_back(id);
    return;
  }
  const SimLoop::Task task = std::move(found->second.task);
  waiting_.erase(found);
  task();
}

void SimNodeLoop::resume() {
  paused_ = false;
  for (const std::uint64_t id : std::exchange(late_, {})) {
    const auto found = waiting_.find(id);
    if (found == waiting_.end()) continue;
    found->second.handle = world_.schedule(world_.now(), [this, id] { fire(id); });
  }
}

void SimNodeLoop::kill() {
  alive_ = false;
  for (const auto& [id, waiting] : waiting_)
    world_.cancel(waiting.handle);
  waiting_.clear();
  late_.clear();
}

}  // namespace migd::sim
