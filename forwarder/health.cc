#include "forwarder/health.h"

namespace migd {

NodeHealth::NodeHealth(const NodeInfo& self, const std::vector<NodeInfo>& peers, MessageBus& bus)
    : self_(self.id) {
  for (const NodeInfo& peer : peers)
    peers_[peer.id];
  bus.subscribe<PeerUp>([this](const PeerUp& m) {
    if (const auto it = peers_.find(m.peer); it != peers_.end()) it->second.up = true;
  });
  bus.subscribe<PeerDown>([this](const PeerDown& m) {
    if (const auto it = peers_.find(m.peer); it != peers_.end()) it->second = State{};
  });
  bus.subscribe<PeerLoadReported>([this](const PeerLoadReported& m) {
    if (const auto it = peers_.find(m.peer); it != peers_.end()) {
      it->second.load = m.load;
      ++it->second.reports;
    }
  });
}

const NodeHealth::State* NodeHealth::find(NodeId node) const {
  if (node == self_) return &own_;
  const auto it = peers_.find(node);
  return it == peers_.end() ? nullptr : &it->second;
}

bool NodeHealth::up(NodeId node) const {
  const State* state = find(node);
  return state != nullptr && state->up;
}

bool NodeHealth::ready(NodeId node) const {
  const State* state = find(node);
  return state != nullptr && state->up && !state->load.draining;
}

std::uint64_t NodeHealth::reports(NodeId node) const {
  const State* state = find(node);
  return state == nullptr ? 0 : state->reports;
}

PeerLoad NodeHealth::load(NodeId node) const {
  const State* state = find(node);
  return state == nullptr ? PeerLoad{} : state->load;
}

}  // namespace migd
