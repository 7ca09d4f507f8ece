// The loss recovery of a connection, which exists only while there is something that it has to
// know: most connections of a node wait for their client, and have never lost anything. What goes
// on to matter meanwhile is kept here: the least round trip, and when something was sent last.
//
// Forgotten with it are the rounds of slow start (stack/recovery/hystart.h), which begin anew with
// the next data, and which segment was delivered last, which tells nothing of those to come.
#pragma once

#include <memory>

#include "stack/recovery/loss_recovery.h"

namespace migd {

class RestingRecovery {
 public:
  explicit RestingRecovery(CongestionAlgorithm algorithm) : algorithm_(algorithm) {}

  LossRecovery& wake(const tcp_pcb& pcb) {
    if (awake_ == nullptr) awake_ = std::make_unique<LossRecovery>(algorithm_, rest_, pcb);
    return *awake_;
  }
  bool resting() const { return awake_ == nullptr; }

  // To be called whenever something may have ended.
  void rest_if_idle(const tcp_pcb& pcb) {
    if (awake_ == nullptr || !awake_->at_rest(pcb, algorithm_)) return;
    rest_ = awake_->rest();
    awake_.reset();
  }

  // Zero: not known.
  Duration least_rtt() const {
    return (awake_ != nullptr ? awake_->rest() : rest_).min_rtt.value();
  }

  // As it is, or would be.
  template <typename Call>
  auto look(const tcp_pcb& pcb, Call&& call) const {
    return awake_ != nullptr ? call(*awake_) : call(LossRecovery(algorithm_, rest_, pcb));
  }

 private:
  std::unique_ptr<LossRecovery> awake_;
  LossRecovery::Rest rest_;
  const CongestionAlgorithm algorithm_;
};

}  // namespace migd
