#include "forwarder/rendezvous.h"

#include <algorithm>
#include <utility>

#include "base/four_tuple_hash.h"

namespace migd {

std::vector<NodeId> rendezvous_order(const SipKey& key, const FourTuple& flow,
                                     const std::vector<NodeId>& nodes) {
  const std::uint64_t flow_hash = FourTupleHash{key}(flow);
  std::vector<std::pair<std::uint64_t, NodeId>> weighed;
  weighed.reserve(nodes.size());
  for (const NodeId node : nodes) {
    Bytes input;
    ByteWriter out(input);
    out.u64(flow_hash);
    out.u16(node.value);
    weighed.emplace_back(siphash(key, input), node);
  }
  std::sort(weighed.begin(), weighed.end(), std::greater<>());
  std::vector<NodeId> order;
  order.reserve(nodes.size());
  for (const auto& [weight, node] : weighed)
    order.push_back(node);
  return order;
}

}  // namespace migd
