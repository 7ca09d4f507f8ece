#include "migrator/environment.h"

namespace migd {

NodeId MigratorEnvironment::default_forwarder() const {
  if (options.is_forwarder) return options.self;
  for (const NodeInfo& peer : options.peers) {
    if (peer.roles.forwarder && channel.session_up(peer.id)) return peer.id;
  }
  return NodeId{};
}

NodeId MigratorEnvironment::forwarder_of(const ConnectionId& connection) const {
  const auto it = records.find(connection);
  if (it != records.end() && it->second.forwarder != NodeId{}) return it->second.forwarder;
  return default_forwarder();
}

bool MigratorEnvironment::announce_owner(const FourTuple& tuple, const Tenure& tenure,
                                         NodeId forwarder, Instant now) {
  if (forwarder == options.self) {
    bus.post(MappingRequest{tuple, tenure, options.self, FlowId{}});
    return true;
  }
  if (!channel.session_up(forwarder)) return true;  // it will ask when it is back
  const std::optional<FlowId> flow = flow_ids.take(forwarder);
  if (!flow || !send(forwarder, wire::Map{tenure, options.self, *flow, tuple}, now)) {
    unannounced[forwarder].insert(tenure.connection);
    return false;
  }
  tunnel.map_inbound(forwarder, channel.peer_boot(forwarder), *flow, tuple, tenure.connection);
  return true;
}

}  // namespace migd
