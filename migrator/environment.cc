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
  const NodeId known = it == records.end() ? NodeId{} : it->second.forwarder;
  if (known == options.self || channel.session_up(known)) return known;
  const NodeId other = default_forwarder();
  return other == NodeId{} ? known : other;
}

bool MigratorEnvironment::announce_owner(const FourTuple& tuple, const Tenure& tenure,
                                         NodeId forwarder, Instant now) {
  if (forwarder == options.self || channel.session_up(forwarder)) {
    return announce_to(forwarder, tuple, tenure, now);
  }
  // Until it is back the clients' packets come by the others.
  if (options.is_forwarder) announce_to(options.self, tuple, tenure, now);
  for (const NodeInfo& peer : options.peers) {
    if (peer.roles.forwarder) announce_to(peer.id, tuple, tenure, now);
  }
  return true;
}

bool MigratorEnvironment::announce_to(NodeId forwarder, const FourTuple& tuple,
                                      const Tenure& tenure, Instant now) {
  const Connection* const connection = stack.find(tenure.connection);
  const bool half_open = connection != nullptr && connection->state() == TcpState::kSynReceived;
  if (forwarder == options.self) {
    bus.post(MappingRequest{tuple, tenure, options.self, FlowId{}, NodeId{}, half_open});
    return true;
  }
  if (!channel.session_up(forwarder)) return true;  // it is told of all when it is back
  const std::optional<FlowId> flow = flow_ids.take(forwarder);
  if (!flow || !send(forwarder, wire::Map{tenure, options.self, *flow, half_open, tuple}, now)) {
    unannounced[forwarder].insert(tenure.connection);
    return false;
  }
  tunnel.map_inbound(forwarder, channel.peer_boot(forwarder), *flow, tuple, tenure.connection);
  return true;
}

}  // namespace migd
