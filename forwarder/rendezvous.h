// Rendezvous (highest random weight) hashing: which classifier takes a flow that is not mapped. Any
// forwarder comes to the same answer without a table, and when a node comes or goes only its own
// flows change hands. The second choice comes for free: it is where a flow is whose first choice
// was not available when it began, so it travels along as the next hop (GLB's second chance).
#pragma once

#include <vector>

#include "base/address.h"
#include "base/ids.h"
#include "base/siphash.h"

namespace migd {

// All nodes of a cluster must agree on it, so it is no secret of one node: whoever knows it can
// choose the classifier that his connections begin at, and nothing else.
inline constexpr SipKey kRendezvousKey = {'m', 'i', 'g', 'd', ' ', 'r', 'e', 'n',
                                          'd', 'e', 'z', 'v', 'o', 'u', 's', '1'};

// Orders `nodes`, all of equal weight, by how much the flow wants them, most first.
std::vector<NodeId> rendezvous_order(const SipKey& key, const FourTuple& flow,
                                     const std::vector<NodeId>& nodes);

}  // namespace migd
