// The daemon's JSON answers as text for people, and as the one line for programs. An answer that is
// not what it should be is kProtocol.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/commands/command.h"

namespace migd {

Result<std::string> render_status(std::string_view json);
// The rows that pass, as text or as JSON.
Result<std::string> render_connections(std::string_view json, const ConnsFilter& filter,
                                       bool as_json);
Result<std::string> render_migration(std::string_view json);
// One line of how far a drain is; when it has ended also what was refused, and why.
Result<std::string> render_drain(std::string_view json);
std::string drain_state(std::string_view json);  // "running", ...; "" of something else
Result<std::string> render_trace(std::string_view json);
Result<std::string> render_event(std::string_view json);
// "peer_up", or "" of something else.
std::string event_name(std::string_view json);
std::string render_metrics_json(std::string_view prometheus_text);

// {"error": {"code", "text"}} of an answer; kProtocol when it is something else.
Error error_of(std::string_view json);

std::string error_line_json(const Error& error);
std::string migrate_request_json(const MigrateOptions& options);
std::string bind_request_json(const MigrateOptions& options);  // also to unbind
std::string drain_request_json(const DrainOptions& options);
std::string check_json(bool ok, std::string_view error, const std::vector<std::string>& warnings);
std::string keygen_json(std::string_view public_key, std::string_view secret_path);
std::string version_json();

}  // namespace migd
