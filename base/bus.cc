#include "base/bus.h"

#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace migd {

void MessageBus::post(Message message) {
  MIGD_CHECK(waiting_.size() < limits::kMessageBusMax);
  waiting_.push_back(std::move(message));
}

void MessageBus::observe(std::function<void(const Message&)> handler) {
  handlers_.push_back(std::move(handler));
}

void MessageBus::dispatch() {
  if (dispatching_) return;  // the outer call delivers what was posted meanwhile
  dispatching_ = true;
  while (!waiting_.empty()) {
    const Message message = std::move(waiting_.front());
    waiting_.pop_front();
    for (const auto& handler : handlers_)
      handler(message);
  }
  dispatching_ = false;
}

}  // namespace migd
