// What the admin interface needs of a node: the seam between cli/admin (HTTP and JSON) and the Node
// (cli/node.h). Plain values; nothing here knows how they are shown.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/ids.h"
#include "base/messages.h"
#include "base/result.h"
#include "base/time.h"
#include "forwarder/options.h"
#include "migrator/drain.h"

namespace migd {

struct PeerStatus {
  std::string name;
  NodeId id;
  Roles roles;
  bool up = false;        // there is a session with it
  Duration round_trip{};  // zero: not measured yet
  PeerLoad load;          // as it last said
};

struct ServiceStatus {
  std::string name;
  std::vector<Endpoint> vips;
};

struct MigrationCounts {
  std::uint64_t completed = 0;  // away from here
  std::uint64_t refused = 0;
  std::uint64_t aborted = 0;
  std::uint64_t arrived = 0;               // to here
  Duration freeze_median{}, freeze_p99{};  // of the completed, to within a factor of two
};

struct StatusReport {
  std::string node;
  NodeId id;
  Boot boot;
  Roles roles;
  bool draining = false;  // it takes no new connections
  Duration uptime{};
  std::string link;               // "tun migd0"
  std::uint32_t connections = 0;  // of this node's stack
  std::uint32_t half_open = 0;
  std::uint32_t time_wait_records = 0;  // of the connections: little more than remembered
  std::uint32_t frozen = 0;
  std::uint64_t memory = 0;    // bytes that the connections keep
  std::uint32_t mappings = 0;  // of this forwarder
  std::uint64_t drops = 0;     // packets and datagrams refused, all reasons together
  MigrationCounts migrations;
  std::vector<PeerStatus> peers;
  std::vector<ServiceStatus> services;
};

// One connection of this node's stack.
struct ConnectionRow {
  ConnectionId id;
  Epoch epoch;
  FourTuple tuple;
  std::string service;
  std::string application;  // empty: unbound
  std::string state;        // as RFC 9293 writes it
  std::string owner_node;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  Duration age{};  // since it came to this node
  std::uint64_t readable = 0;
  std::uint64_t unsent = 0;
  std::uint64_t unacknowledged = 0;
  std::string blockers;  // why it cannot move now; empty: it can
  Duration rtt{};
};

struct StageTime {
  std::string stage;
  Duration at{};  // since the migration was asked for
};

// How a migration that was asked for has ended.
struct MigrateReport {
  std::optional<ErrorCode> error;  // nothing: the new owner is active
  std::string reason;              // of the error: one line, for people
  ConnectionId connection;
  Epoch epoch;  // of the owner that it has now
  std::string from;
  std::string to;
  std::uint32_t blob_bytes = 0;
  Duration freeze{};  // from frozen to activated
  std::vector<StageTime> stages;
};

// Gives all connections of the node away.
struct DrainWish {
  std::vector<std::string> targets;  // nodes by name; none: those that serve the same
  std::uint32_t per_second = 0;      // moves; 0: as fast as they go
  Duration timeout{};
};

// One move of a connection, nodes by name. See migrator/blob.h for the times.
struct TracedMove {
  std::string from, to, forwarder;
  Epoch epoch;
  std::string asked_by;
  MigrationMode mode = MigrationMode::kNow;
  bool at_once = false;
  std::uint32_t blob_bytes = 0;
  Duration prepared{}, at_source{}, crossing{}, at_target{}, frozen{};
  std::optional<Duration> first_out, first_in;
  Duration ago{};  // since it was active there
};

struct TraceReport {
  std::optional<ErrorCode> error;
  std::string reason;
  ConnectionId connection;
  Epoch epoch;
  FourTuple tuple;
  std::string owner;
  std::uint32_t older_moves = 0;  // before those that are listed
  std::vector<TracedMove> moves;
};

class AdminService {
 public:
  virtual ~AdminService() = default;

  virtual StatusReport status() = 0;
  virtual std::vector<ConnectionRow> connections() = 0;

  // Moves the connection to the node of that name; with an empty one it stays, and is bound to
  // terms.application or unbound. `id_or_prefix` is a connection id or the
  // beginning of one that is unique among the connections of all nodes; any node passes the request
  // on to the owner. Errors: kNotFound (connection or node), kInvalidArgument (no such thing as an
  // id), kRefused (also an ambiguous prefix, or a named blocker), kUnavailable, kBusy, kDeadline.
  // `done` is called exactly once, perhaps before migrate() returns.
  virtual void migrate(std::string id_or_prefix, std::string node_name, MoveTerms terms,
                       std::function<void(MigrateReport)> done) = 0;

  // From here on the node takes no new connections, and moves its own away; again replaces the
  // terms. kNotFound: a node. stop_drain() ends both.
  virtual Result<void> start_drain(const DrainWish& wish) = 0;
  virtual void stop_drain() = 0;
  virtual DrainReport drain_report() = 0;

  // Every move that the connection has made, as its owner knows them. Errors as for migrate().
  // `done` is called exactly once, perhaps before trace() returns.
  virtual void trace(std::string id_or_prefix, std::function<void(TraceReport)> done) = 0;

  // Calls `on_event` for each message of the bus, for the life of the service.
  virtual void subscribe_events(std::function<void(const Message&, Instant)> on_event) = 0;

  virtual std::string metrics_text() = 0;  // Prometheus text format
};

}  // namespace migd
