// Invariant 7: what a node keeps of the packets that it gets is bounded, and nothing of it is left
// when there is nothing left to do.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <set>

#include "tests/sim/check/checker.h"

namespace migd::sim {

class Memory : public Checker {
 public:
  using Lent = std::function<std::size_t(PortId)>;  // bytes in frames; 0 for who is no node

  Memory() : Checker("memory") {}
  void watch(Lent lent) { lent_ = std::move(lent); }
  // Of any node, at any moment, in bytes. Unset: not judged.
  void bound(std::size_t most) { most_ = most; }

  void on_crossing(const Crossing& crossing) override {
    if (crossing.point != Crossing::Point::kDelivered || !lent_) return;
    const std::size_t now = lent_(crossing.to);
    peak_ = std::max(peak_, now);
    nodes_.insert(crossing.to);
    if (most_ && now > *most_) {
      report(crossing.at, fmt::format("{} bytes are held, {} are allowed", now, *most_));
    }
  }

  std::size_t held() const {  // by all
    std::size_t sum = 0;
    for (const PortId node : nodes_)
      sum += lent_(node);
    return sum;
  }
  // To be called when every client is served.
  void expect_nothing_held(Instant at) {
    for (const PortId node : nodes_) {
      const std::size_t now = lent_(node);
      if (now > 0) report(at, fmt::format("{} bytes of packets are held for nobody", now));
    }
  }
  std::size_t peak() const { return peak_; }

 private:
  Lent lent_;
  std::optional<std::size_t> most_;
  std::size_t peak_ = 0;
  std::set<PortId> nodes_;
};

}  // namespace migd::sim
