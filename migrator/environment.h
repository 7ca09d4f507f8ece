// What the two halves of a migration work with: references to the node's engines, and the facts
// that they share about connections. Made by the Migrator.
#pragma once

#include <map>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/bus.h"
#include "base/metrics.h"
#include "base/timer_wheel.h"
#include "forwarder/flow_ids.h"
#include "forwarder/tunnel.h"
#include "migrator/channel/channel.h"
#include "migrator/connection_record.h"
#include "migrator/intermediate_driver.h"
#include "migrator/shim.h"
#include "migrator/wire.h"

namespace migd {

struct MigratorOptions {
  NodeId self;
  Boot boot;
  bool is_forwarder = false;
  bool is_classifier = false;
  Duration timeout = 5s;  // PREPARE to PROMISE, and STATE to READY
  bool prepare = true;    // ask for a promise, so that GRANT may ride with STATE
  std::vector<NodeInfo> peers;
  std::vector<Endpoint> vips;  // what a connection that comes in may belong to
};

struct MigratorEnvironment {
  const MigratorOptions& options;
  Stack& stack;
  Shim& shim;
  IntermediateDriver& driver;
  Tunnel& tunnel;
  Channel& channel;
  MessageBus& bus;
  FlowIdPool& flow_ids;
  Metrics& metrics;
  std::unordered_map<ConnectionId, ConnectionRecord> records;
  std::map<NodeId, std::unordered_set<ConnectionId>> unannounced{};  // by forwarder
  bool draining = false;  // this node gives its connections away, and takes none
  bool urgent = false;    // a connection is silent until what was said now has left

  // Sends one protocol message; false when there is no session or no room (its loss is then dealt
  // with like the loss of the peer).
  bool send(NodeId to, const wire::Message& message, Instant now) {
    return send(to, message, {}, now);
  }
  bool send(NodeId to, const wire::Message& message, ByteView body, Instant now) {
    const auto kind = static_cast<std::uint8_t>(wire::kind_of(message));
    return channel.send(to, kind, wire::serialize(message), body, now).has_value();
  }
  // Sets the mapping of a connection that this node owns, at its forwarder; when that is away, at
  // all others. Without a flow identifier, or room in the channel, the connection waits in
  // `unannounced`, and false returns.
  bool announce_owner(const FourTuple& tuple, const Tenure& tenure, NodeId forwarder, Instant now);
  bool announce_to(NodeId forwarder, const FourTuple& tuple, const Tenure& tenure, Instant now);
  NodeId default_forwarder() const;
  // The one whose packets come here; when it is away, another that is there.
  NodeId forwarder_of(const ConnectionId& connection) const;
  void count_refusal(const Blockers& blockers) {  // once for each name
    for (const std::string_view name : blockers.names())
      count_refusal(name);
  }
  void count_refusal(std::string_view reason) {
    metrics.counter("migd_migrations_refused_total{reason=\"" + std::string(reason) + "\"}").add();
  }
};

}  // namespace migd
