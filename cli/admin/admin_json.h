// The admin interface's values as JSON text, and the requests that have a body. The only place
// of the server that sees the JSON library. Bytes that are not UTF-8 become U+FFFD.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/admin_service.h"
#include "cli/config.h"

namespace migd {

using NodeNames = std::map<NodeId, std::string>;

std::string to_json(const StatusReport& report);
std::string to_json(const ConnectionRow& row);
std::string to_json(const TraceReport& report);    // that has found the connection
std::string to_json(const MigrateReport& report);  // also of one that failed
std::string error_json(ErrorCode code, std::string_view text);

// One event: "event", "time" (UTC), "at_us" (monotonic clock of the node), then the message's
// fields, nodes by name where `names` has them.
std::string event_json(const Message& message, Instant at, const NodeNames& names);
// The first line of each event stream: from here on nothing is missed.
std::string watching_json(std::string_view node, Instant at);
std::string dropped_json(std::uint64_t count, Instant at);

// POST /v1/migrate: {"id": "4f0c", "to": "h2", "wait": true, "mode": "now", "timeout": "5s",
//                    "application": "echo"}, or "unbound": true in place of an application
// POST /v1/bind:    {"id": "4f0c", "application": "echo", "timeout": "5s"}
// POST /v1/unbind:  {"id": "4f0c", "timeout": "5s"}
struct MigrateCommand {
  std::string id;
  std::string to;  // empty: it stays
  bool wait = false;
  MoveTerms terms;
};
// POST /v1/drain: {"to": ["h2"], "rate": 100, "timeout": "60s"}, all optional, or {"stop": true}.
struct DrainCommand {
  bool stop = false;
  DrainWish wish{{}, 0, kDrainTimeout};
};
Result<DrainCommand> parse_drain_command(std::string_view json);
std::string to_json(const DrainReport& report);

Result<MigrateCommand> parse_migrate_command(std::string_view json, Duration default_timeout);
Result<MigrateCommand> parse_bind_command(std::string_view json, Duration default_timeout);
Result<MigrateCommand> parse_unbind_command(std::string_view json, Duration default_timeout);

}  // namespace migd
