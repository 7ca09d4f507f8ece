// NodeHealth: which nodes of the cluster can be used now, as the bus tells it: who is up, how busy,
// who is draining.
#pragma once

#include <map>
#include <vector>

#include "base/bus.h"
#include "base/ids.h"
#include "forwarder/options.h"

namespace migd {

class NodeHealth {
 public:
  // Subscribes; the bus must not dispatch any more when this is gone. A peer is down until PeerUp.
  NodeHealth(const NodeInfo& self, const std::vector<NodeInfo>& peers, MessageBus& bus);

  bool up(NodeId node) const;
  bool ready(NodeId node) const;             // up and not draining: takes new connections
  PeerLoad load(NodeId node) const;          // as last reported
  std::uint64_t reports(NodeId node) const;  // how many there were
  void set_own_load(const PeerLoad& load) {
    own_.load = load;
    ++own_.reports;
  }

 private:
  struct State {
    bool up = false;
    PeerLoad load;
    std::uint64_t reports = 0;
  };
  const State* find(NodeId node) const;

  NodeId self_;
  State own_{true, {}, 0};
  std::map<NodeId, State> peers_;
};

}  // namespace migd
