// The message bus: typed messages (base/messages.h), bounded, first in first out, never re-entrant.
// post() only queues; dispatch(), called by the composition root when an engine has returned,
// delivers until the queue is empty, so a handler may post but is never called from inside
// another. Handlers are called in the order of subscription.
#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "base/messages.h"

namespace migd {

class MessageBus {
 public:
  // CHECKs that fewer than limits::kMessageBusMax wait: each input posts a bounded number.
  void post(Message message);

  // Calls `handler` for each M.
  template <typename M>
  void subscribe(std::function<void(const M&)> handler) {
    observe([handler = std::move(handler)](const Message& message) {
      if (const M* m = std::get_if<M>(&message)) handler(*m);
    });
  }
  // Calls `handler` for every message.
  void observe(std::function<void(const Message&)> handler);

  void dispatch();
  bool empty() const { return waiting_.empty(); }

 private:
  std::deque<Message> waiting_;
  std::vector<std::function<void(const Message&)>> handlers_;
  bool dispatching_ = false;
};

}  // namespace migd
