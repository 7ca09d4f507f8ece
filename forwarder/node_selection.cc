#include "forwarder/node_selection.h"

#include <algorithm>

namespace migd {

std::optional<NodeId> RoundRobin::select(const Pool& pool, const NodeHealth& health,
                                         const std::vector<NodeId>& except) {
  std::size_t& next = next_[pool.name];
  for (std::size_t i = 0; i < pool.nodes.size(); ++i) {
    const std::size_t at = (next + i) % pool.nodes.size();
    const NodeId node = pool.nodes[at];
    if (!health.ready(node) || std::find(except.begin(), except.end(), node) != except.end())
      continue;
    next = at + 1;
    return node;
  }
  return std::nullopt;
}

}  // namespace migd
