// How long what has come waits for the event loop: a timer that looks how late it is. The metric is
// migd_loop_delay_microseconds.
#pragma once

#include <memory>

#include "base/event_loop.h"
#include "base/metrics.h"

namespace migd {

class LoopProbe {
 public:
  static constexpr Duration kInterval = 50ms;

  // Both outlive it.
  LoopProbe(EventLoop& loop, Metrics& metrics)
      : loop_(loop),
        delays_(metrics.histogram("migd_loop_delay_microseconds")),
        due_(loop.now() + kInterval),
        timer_(loop.make_timer([this] { look(); })) {
    timer_->start(due_);
  }

 private:
  void look() {
    const Instant now = loop_.now();
    delays_.record(now - due_);
    due_ = now + kInterval;
    timer_->start(due_);
  }

  EventLoop& loop_;
  DurationHistogram& delays_;
  Instant due_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace migd
