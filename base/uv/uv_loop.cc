#include "base/uv/uv_loop.h"

#include <sys/timerfd.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <utility>
#include <vector>

#include "base/check.h"

namespace migd {
namespace {

// A deadline so near is waited for by looking at the descriptors again: no dearer than the timer.
constexpr Duration kNotWorthWaiting = 20us;

template <typename H>
uv_handle_t* as_handle(H* handle) {
  return reinterpret_cast<uv_handle_t*>(handle);
}

int to_uv(FdEvents events) {
  return (events.readable ? UV_READABLE : 0) | (events.writable ? UV_WRITABLE : 0);
}

Instant read_clock() {
  return Instant(Duration(static_cast<std::int64_t>(uv_hrtime())));
}

// Timers in the order of (deadline, start).
class TimerQueue {
 public:
  struct Key {
    Instant deadline = kNever;
    std::uint64_t sequence = 0;
    auto operator<=>(const Key&) const = default;
  };
  using Callback = std::shared_ptr<std::function<void()>>;

  Key add(Instant deadline, Callback callback) {
    const Key key{deadline, ++last_sequence_};
    waiting_.emplace(key, std::move(callback));
    return key;
  }
  void remove(const Key& key) { waiting_.erase(key); }
  bool empty() const { return waiting_.empty(); }
  Instant earliest() const { return waiting_.empty() ? kNever : waiting_.begin()->first.deadline; }

  // Those that are due now, not those that their callbacks start meanwhile.
  void run_due(Instant now) {
    due_.clear();
    for (auto it = waiting_.begin(); it != waiting_.end() && it->first.deadline <= now; ++it) {
      due_.push_back(it->first);
    }
    for (const Key& key : due_) {
      const auto found = waiting_.find(key);
      if (found == waiting_.end()) continue;  // another callback stopped it
      const Callback callback = std::move(found->second);
      waiting_.erase(found);
      (*callback)();
    }
  }

 private:
  std::uint64_t last_sequence_ = 0;
  std::map<Key, Callback> waiting_;
  std::vector<Key> due_;
};

}  // namespace

struct UvLoop::Impl {
  uv_loop_t loop;
  uv_prepare_t prepare;  // runs before the loop waits
  uv_check_t check;      // runs after it has waited
  uv_idle_t idle;        // while it is active, the loop does not wait
  uv_poll_t timer_poll;
  int timer_fd = -1;
  Instant timer_fd_deadline = kNever;
  TimerQueue timers;
  std::vector<std::function<void()>> tasks;
  std::vector<std::function<void()>> running_tasks;
  int open_handles = 0;  // of watches

  void run_tasks();
  void before_wait();
  void after_wait();
  void arm_timer_fd(Instant deadline);
  void on_timer_fd();
};

namespace {

// A watch's part that libuv holds on to until it has closed it.
struct PollCore {
  uv_poll_t poll;
  std::function<void(FdEvents)> on_ready;
  FdEvents interest;
  bool abandoned = false;
  int* open_handles = nullptr;

  void apply_interest();
};

void on_poll(uv_poll_t* poll, int status, int events) {
  auto* core = static_cast<PollCore*>(poll->data);
  const bool failed = status < 0;
  // libuv has stopped watching when it reports an error. Level-triggered means that the owner finds
  // the error by reading or writing, and goes on after it.
  const FdEvents ready =
      failed ? core->interest : FdEvents{(events & UV_READABLE) != 0, (events & UV_WRITABLE) != 0};
  core->on_ready(ready);
  if (failed && !core->abandoned) core->apply_interest();
}

void PollCore::apply_interest() {
  if (to_uv(interest) == 0) {
    uv_poll_stop(&poll);
  } else {
    MIGD_CHECK(uv_poll_start(&poll, to_uv(interest), on_poll) == 0);
  }
}

class UvFdWatch : public FdWatch {
 public:
  explicit UvFdWatch(PollCore* core) : core_(core) {}
  ~UvFdWatch() override {
    core_->abandoned = true;
    uv_close(as_handle(&core_->poll), [](uv_handle_t* handle) {
      auto* core = static_cast<PollCore*>(handle->data);
      --*core->open_handles;
      delete core;
    });
  }
  void set_interest(FdEvents interest) override {
    if (interest.readable == core_->interest.readable &&
        interest.writable == core_->interest.writable) {
      return;
    }
    core_->interest = interest;
    core_->apply_interest();
  }

 private:
  PollCore* core_;
};

class UvTimer : public Timer {
 public:
  UvTimer(TimerQueue& queue, std::function<void()> on_expiry)
      : queue_(queue), on_expiry_(std::make_shared<std::function<void()>>(std::move(on_expiry))) {}
  ~UvTimer() override { stop(); }

  void start(Instant deadline) override {
    stop();
    if (deadline != kNever) key_ = queue_.add(deadline, on_expiry_);
  }
  void stop() override { queue_.remove(std::exchange(key_, {})); }

 private:
  TimerQueue& queue_;
  std::shared_ptr<std::function<void()>> on_expiry_;
  TimerQueue::Key key_;
};

struct SignalCore {
  uv_signal_t signal;
  std::function<void()> on_raised;
};

}  // namespace

void UvLoop::Impl::run_tasks() {
  running_tasks.swap(tasks);
  for (auto& task : running_tasks)
    task();
  running_tasks.clear();
}

void UvLoop::Impl::before_wait() {
  run_tasks();
  // What the tasks have posted runs after a look at the descriptors, without a wait.
  const Instant earliest = timers.earliest();
  const bool busy =
      !tasks.empty() || (earliest != kNever && earliest <= read_clock() + kNotWorthWaiting);
  if (busy) {
    uv_idle_start(&idle, [](uv_idle_t*) {});
    return;
  }
  uv_idle_stop(&idle);
  if (earliest < timer_fd_deadline) arm_timer_fd(earliest);
}

void UvLoop::Impl::after_wait() {
  run_tasks();
  if (!timers.empty()) timers.run_due(read_clock());
}

void UvLoop::Impl::arm_timer_fd(Instant deadline) {
  timer_fd_deadline = deadline;
  const std::int64_t ns = std::max<std::int64_t>(1, deadline.time_since_epoch().count());
  itimerspec when{};
  when.it_value.tv_sec = ns / 1'000'000'000;
  when.it_value.tv_nsec = ns % 1'000'000'000;
  MIGD_CHECK(timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, nullptr) == 0);
}

void UvLoop::Impl::on_timer_fd() {
  std::uint64_t expirations = 0;
  if (read(timer_fd, &expirations, sizeof expirations) < 0) return;  // armed again meanwhile
  timer_fd_deadline = kNever;
}

UvLoop::UvLoop() : impl_(std::make_unique<Impl>()) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed socket is an error of the write
  Impl& impl = *impl_;
  MIGD_CHECK(uv_loop_init(&impl.loop) == 0);
  impl.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  MIGD_CHECK(impl.timer_fd >= 0);
  MIGD_CHECK(uv_poll_init(&impl.loop, &impl.timer_poll, impl.timer_fd) == 0);
  impl.timer_poll.data = impl.prepare.data = impl.check.data = &impl;
  uv_poll_start(&impl.timer_poll, UV_READABLE,
                [](uv_poll_t* poll, int, int) { static_cast<Impl*>(poll->data)->on_timer_fd(); });
  uv_prepare_init(&impl.loop, &impl.prepare);
  uv_prepare_start(&impl.prepare,
                   [](uv_prepare_t* prepare) { static_cast<Impl*>(prepare->data)->before_wait(); });
  uv_check_init(&impl.loop, &impl.check);
  uv_check_start(&impl.check,
                 [](uv_check_t* check) { static_cast<Impl*>(check->data)->after_wait(); });
  uv_idle_init(&impl.loop, &impl.idle);
}

UvLoop::~UvLoop() {
  Impl& impl = *impl_;
  while (!impl.tasks.empty())
    std::exchange(impl.tasks, {}).clear();  // a task may own a socket
  MIGD_CHECK(impl.timers.empty());
  uv_walk(
      &impl.loop,
      [](uv_handle_t* handle, void*) {
        if (uv_is_closing(handle)) return;
        const uv_close_cb free_signal = [](uv_handle_t* h) {
          delete static_cast<SignalCore*>(h->data);
        };
        const bool ours = handle->type == UV_POLL || handle->type == UV_PREPARE ||
                          handle->type == UV_CHECK || handle->type == UV_IDLE ||
                          handle->type == UV_SIGNAL;
        MIGD_CHECK(ours);  // a socket outlives its loop
        uv_close(handle, handle->type == UV_SIGNAL ? free_signal : nullptr);
      },
      nullptr);
  uv_run(&impl.loop, UV_RUN_DEFAULT);  // until every close callback has run
  MIGD_CHECK(impl.open_handles == 0);
  MIGD_CHECK(uv_loop_close(&impl.loop) == 0);
  close(impl.timer_fd);
}

Instant UvLoop::now() const {
  return read_clock();
}

std::unique_ptr<Timer> UvLoop::make_timer(std::function<void()> on_expiry) {
  return std::make_unique<UvTimer>(impl_->timers, std::move(on_expiry));
}

std::unique_ptr<FdWatch> UvLoop::watch(int fd, FdEvents interest,
                                       std::function<void(FdEvents)> on_ready) {
  auto* core = new PollCore{{}, std::move(on_ready), interest, false, &impl_->open_handles};
  core->poll.data = core;
  MIGD_CHECK(uv_poll_init(&impl_->loop, &core->poll, fd) == 0);
  ++impl_->open_handles;
  core->apply_interest();
  return std::make_unique<UvFdWatch>(core);
}

void UvLoop::post(std::function<void()> task) {
  impl_->tasks.push_back(std::move(task));
}

void UvLoop::run() {
  uv_run(&impl_->loop, UV_RUN_DEFAULT);
}

void UvLoop::stop() {
  uv_stop(&impl_->loop);
}

void UvLoop::on_signal(int signal_number, std::function<void()> on_raised) {
  auto* core = new SignalCore{{}, std::move(on_raised)};
  core->signal.data = core;
  MIGD_CHECK(uv_signal_init(&impl_->loop, &core->signal) == 0);
  MIGD_CHECK(
      uv_signal_start(
          &core->signal,
          [](uv_signal_t* signal, int) { static_cast<SignalCore*>(signal->data)->on_raised(); },
          signal_number) == 0);
}

uv_loop_s* UvLoop::handle() {
  return &impl_->loop;
}

}  // namespace migd
