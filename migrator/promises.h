// Room that the target half has promised to connections on their way here: PREPARE asked for it,
// STATE takes it. Until then nobody else gets it, neither a client nor another node's connection;
// what never comes gives it back in time.
#pragma once

#include <map>

#include "base/ids.h"
#include "base/time.h"
#include "base/timer_wheel.h"
#include "stack/stack.h"

namespace migd {

class Promises {
 public:
  // `stack` outlives the promises.
  Promises(Stack& stack, Instant now) : stack_(stack), wheel_(now) {}

  // False: there is no room. One that has been given is given again.
  bool give(const Tenure& tenure, Instant now);
  // Its state is here, or will not come.
  void end(const Tenure& tenure);

  Instant next_deadline() const { return wheel_.next_deadline(); }
  void on_deadline(Instant now);

 private:
  struct Promise : TimerWheel::Node {
    Tenure tenure;
  };

  Stack& stack_;
  std::map<Tenure, Promise> given_;
  TimerWheel wheel_;
};

}  // namespace migd
