#include "migrator/readiness.h"

#include <algorithm>

#include "base/limits.h"

namespace migd {
namespace {

// Of the connection itself, wherever it shall go.
Blockers own_blockers(const MigratorEnvironment& env, const Connection& connection,
                      const MigrationRequest& wish) {
  Blockers found = env.shim.blockers(connection);
  if (wish.expected_epoch && *wish.expected_epoch != connection.epoch()) {
    found |= Blocker::kStaleEpoch;
  }
  const auto record = env.records.find(connection.id());
  if (connection.application().empty() && record != env.records.end() &&
      record->second.forwarded == limits::kForwardHopsMax) {
    found |= Blocker::kForwardedTooOften;
  }
  return found;
}

Blockers blockers_of(const MigratorEnvironment& env, const NodeInfo& target, Family family) {
  Blockers found;
  if (!target.tunnel(family)) found |= Blocker::kTargetNoFamily;
  if (!env.channel.session_up(target.id)) found |= Blocker::kTargetDown;
  return found;
}

// Whether the forwarder can be told; the target tells itself.
bool reachable(const MigratorEnvironment& env, NodeId forwarder, NodeId target) {
  if (forwarder == NodeId{}) return false;
  return forwarder == env.options.self || forwarder == target || env.channel.session_up(forwarder);
}

}  // namespace

Blockers readiness(const MigratorEnvironment& env, const Connection& connection,
                   const MigrationRequest& wish) {
  Blockers found = own_blockers(env, connection, wish);
  if (!reachable(env, env.forwarder_of(connection.id()), wish.target)) {
    found |= Blocker::kNoForwarder;
  }
  const Family family = connection.tuple().local.address.family();
  const auto& peers = env.options.peers;
  if (wish.target == NodeId{}) {
    const bool anybody = std::any_of(peers.begin(), peers.end(), [&](const NodeInfo& peer) {
      return peer.roles.host && blockers_of(env, peer, family).empty();
    });
    return anybody ? found : found | Blocker::kNoTarget;
  }
  if (wish.target == env.options.self) return found | Blocker::kAlreadyHere;
  const auto peer = std::find_if(peers.begin(), peers.end(),
                                 [&](const NodeInfo& p) { return p.id == wish.target; });
  if (peer == peers.end()) return found | Blocker::kTargetUnknown;
  return found | blockers_of(env, *peer, family);
}

}  // namespace migd
