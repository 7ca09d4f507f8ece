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

}  // namespace migd
