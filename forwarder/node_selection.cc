#include "forwarder/node_selection.h"

#include <algorithm>
#include <utility>

namespace migd {
namespace {

bool usable(NodeId node, const NodeHealth& health, const std::vector<NodeId>& except) {
  return health.ready(node) && std::find(except.begin(), except.end(), node) == except.end();
}

}  // namespace

std::optional<NodeId> RoundRobin::select(const Pool& pool, const NodeHealth& health,
                                         const std::vector<NodeId>& except) {
  std::size_t& next = next_[pool.name];
  for (std::size_t i = 0; i < pool.nodes.size(); ++i) {
    const std::size_t at = (next + i) % pool.nodes.size();
    const NodeId node = pool.nodes[at];
    if (!usable(node, health, except)) continue;
    next = at + 1;
    return node;
  }
  return std::nullopt;
}

std::optional<NodeId> LeastLoaded::select(const Pool& pool, const NodeHealth& health,
                                          const std::vector<NodeId>& except) {
  ++turn_;
  std::optional<NodeId> best;
  std::pair<bool, std::uint64_t> best_load;
  for (std::size_t i = 0; i < pool.nodes.size(); ++i) {
    const NodeId node = pool.nodes[(turn_ + i) % pool.nodes.size()];
    if (!usable(node, health, except)) continue;
    Given& given = given_[node];
    if (given.report != health.reports(node)) given = {health.reports(node), 0};
    const PeerLoad reported = health.load(node);
    const std::pair load{reported.busy_permille >= kBusyPermille,
                         std::uint64_t{reported.connections} + given.connections};
    if (best && load >= best_load) continue;
    best = node;
    best_load = load;
  }
  if (best) ++given_[*best].connections;
  return best;
}

namespace {

std::vector<NodeId> nodes_of(const ServiceOptions& service, const RuleTarget& target) {
  if (const auto* node = std::get_if<NodeTarget>(&target)) return {node->node};
  for (const Pool& pool : service.pools) {
    if (pool.name == std::get<PoolTarget>(target).pool) return pool.nodes;
  }
  return {};
}

bool contains(const std::vector<NodeId>& nodes, NodeId node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

}  // namespace

std::vector<NodeId> nodes_beside(const ServiceOptions& service, std::string_view application,
                                 NodeId self) {
  std::vector<NodeId> of_self, of_others;
  const auto add = [&](const RuleTarget& target, const std::string& serves) {
    if (!application.empty() && serves != application) return;
    const std::vector<NodeId> nodes = nodes_of(service, target);
    std::vector<NodeId>& group = contains(nodes, self) ? of_self : of_others;
    for (const NodeId node : nodes) {
      if (!contains(group, node)) group.push_back(node);
    }
  };
  for (const ServiceRule& rule : service.rules)
    add(rule.target, rule.application);
  add(service.default_target, service.default_application);
  std::vector<NodeId>& beside = of_self.empty() ? of_others : of_self;
  std::erase(beside, self);
  return beside;
}

}  // namespace migd
