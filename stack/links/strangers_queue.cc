#include "stack/links/strangers_queue.h"

#include <unistd.h>

#include <utility>

namespace migd {

StrangersQueue::StrangersQueue(EventLoop& loop, int fd, Device device)
    : loop_(loop),
      fd_(fd),
      device_(std::move(device)),
      watch_(loop.watch(fd, {.readable = true}, [this](FdEvents) { on_readable(); })),
      timer_(loop.make_timer([this] {
        paused_ = false;
        watch_->set_interest({.readable = true});
      })) {}

StrangersQueue::~StrangersQueue() {
  watch_.reset();
  close(fd_);
}

bool StrangersQueue::read_now() {
  return !paused_ && !share_.flooded() && device_.read(fd_, share_.budget());
}

void StrangersQueue::stop() {
  watch_->set_interest({});
  timer_->stop();
}

void StrangersQueue::on_readable() {
  const Instant began = loop_.now();
  const bool emptied = device_.read(fd_, share_.budget());
  device_.end_batch();
  const std::uint64_t known = device_.known_frames();
  const bool competing = std::exchange(known_frames_, known) != known;
  const Duration time = share_.after_batch(emptied, loop_.now() - began, competing);
  if (time > Duration::zero()) pause(time);
}

void StrangersQueue::pause(Duration time) {
  ++pauses_;
  paused_ = true;
  watch_->set_interest({});
  timer_->start(loop_.now() + time);
}

}  // namespace migd
