#include "cli/commands/render.h"

#include <fmt/format.h>

#include <charconv>

#include "cli/commands/table.h"
#include "cli/config/complaints.h"
#include "cli/config/units.h"
#include "cli/json.h"
#include "cli/version.h"

namespace migd {
namespace {

// A field of an object, or what stands for one that is not there.
std::string text(const Json& object, std::string_view key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (found == object.end()) return "";
  return printable(found->is_string() ? found->get<std::string>() : dump(*found));
}

std::int64_t number(const Json& object, std::string_view key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

Duration duration(const Json& object, std::string_view key) {
  return std::chrono::microseconds(number(object, key));
}

const Json& items(const Json& object, std::string_view key) {
  static const Json kNone = Json::array();
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_array() ? *found : kNone;
}

std::string joined(const Json& names) {
  std::string out;
  for (const Json& name : names) {
    if (name.is_string()) out += (out.empty() ? "" : ",") + printable(name.get<std::string>());
  }
  return out;
}

// " (app_busy 3, moving 1)" of an object of numbers; "" when it is empty.
std::string counted(const Json& object, std::string_view key) {
  std::string out;
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (found == object.end() || !found->is_object()) return out;
  for (const auto& [name, count] : found->items())
    out += (out.empty() ? " (" : ", ") + printable(name) + " " + dump(count);
  return out.empty() ? out : out + ")";
}

Result<Json> parse(std::string_view json) {
  Json parsed = Json::parse(json, nullptr, false);
  if (parsed.is_object()) return parsed;
  return fail(ErrorCode::kProtocol, "the answer is not one of migd's");
}

std::string render_peers(const Json& peers) {
  Table table({"PEER", "ID", "ROLES", "STATE", "RTT", "CONNECTIONS", "BUSY"});
  for (const Json& peer : peers) {
    const bool up = text(peer, "up") == "true";
    table.add({text(peer, "name"), text(peer, "id"), joined(items(peer, "roles")),
               !up                                ? "down"
               : text(peer, "draining") == "true" ? "draining"
                                                  : "up",
               up ? human_duration(duration(peer, "round_trip_us")) : "-",
               up ? text(peer, "connections") : "-",
               up ? fmt::format("{}%", number(peer, "busy_permille") / 10) : "-"});
  }
  return table.to_string();
}

std::string render_services(const Json& services) {
  Table table({"SERVICE", "VIP"});
  for (const Json& service : services) {
    table.add({text(service, "name"), joined(items(service, "vips"))});
  }
  return table.to_string();
}

bool passes(const Json& row, const ConnsFilter& filter) {
  const auto is = [&row](const std::string& wanted, std::string_view key) {
    return wanted.empty() || text(row, key) == wanted;
  };
  return is(filter.service, "service") && is(filter.application, "application") &&
         is(filter.owner, "owner") && is(filter.state, "state");
}

std::string render_rows(const Json& rows) {
  Table table({"ID", "EPOCH", "PEER", "LOCAL", "SERVICE", "APPLICATION", "STATE", "IN", "OUT",
               "AGE", "RTT", "BLOCKED BY"});
  for (const Json& row : rows) {
    const std::string application = text(row, "application");
    table.add({text(row, "id").substr(0, 12), text(row, "epoch"), text(row, "peer"),
               text(row, "local"), text(row, "service"), application.empty() ? "-" : application,
               text(row, "state"), human_bytes(static_cast<std::uint64_t>(number(row, "bytes_in"))),
               human_bytes(static_cast<std::uint64_t>(number(row, "bytes_out"))),
               human_duration(duration(row, "age_us")), human_duration(duration(row, "rtt_us")),
               text(row, "blockers")});
  }
  return table.to_string();
}

}  // namespace

Result<std::string> render_status(std::string_view json) {
  const Result<Json> status = parse(json);
  if (!status) return tl::unexpected(status.error());
  const Json& s = *status;
  const Json& moved = s.contains("migrations") ? s["migrations"] : s;
  std::string out = fmt::format("{} (id {}), {}: {}, {}, up {}\n", text(s, "node"), text(s, "id"),
                                text(s, "state"), joined(items(s, "roles")), text(s, "link"),
                                human_duration(duration(s, "uptime_us")));
  out += fmt::format("connections: {} ({} half open, {} frozen); mappings: {}; drops: {}\n",
                     text(s, "connections"), text(s, "half_open"), text(s, "frozen"),
                     text(s, "mappings"), text(s, "drops"));
  out += fmt::format("migrations: {} completed, {} refused, {} aborted, {} arrived\n",
                     text(moved, "completed"), text(moved, "refused"), text(moved, "aborted"),
                     text(moved, "arrived"));
  if (number(moved, "freeze_p99_us") > 0) {
    out += fmt::format("freeze: {} (median), {} (99%)\n",
                       human_duration(duration(moved, "freeze_median_us")),
                       human_duration(duration(moved, "freeze_p99_us")));
  }
  if (!items(s, "peers").empty()) out += "\n" + render_peers(items(s, "peers"));
  if (!items(s, "services").empty()) out += "\n" + render_services(items(s, "services"));
  return out;
}

Result<std::string> render_connections(std::string_view json, const ConnsFilter& filter,
                                       bool as_json) {
  const Result<Json> answer = parse(json);
  if (!answer) return tl::unexpected(answer.error());
  Json rows = Json::array();
  for (const Json& row : items(*answer, "connections")) {
    if (passes(row, filter)) rows.push_back(row);
  }
  if (as_json) return dump({{"connections", rows}}) + "\n";
  return render_rows(rows);
}

Result<std::string> render_migration(std::string_view json) {
  const Result<Json> answer = parse(json);
  if (!answer) return tl::unexpected(answer.error());
  const Json& m = *answer;
  if (text(m, "outcome") == "accepted") return std::string("accepted\n");
  if (text(m, "from") == text(m, "to")) {
    return fmt::format("{} done at {}\n", text(m, "connection"), text(m, "to"));
  }
  std::string out =
      fmt::format("{} moved from {} to {}: epoch {}, blob of {} bytes, frozen {} us\n",
                  text(m, "connection"), text(m, "from"), text(m, "to"), text(m, "epoch"),
                  text(m, "blob_bytes"), text(m, "freeze_us"));
  if (!m.contains("stages_us") || m["stages_us"].empty()) return out;
  Table table({"STAGE", "AT (us)"});
  for (const auto& [stage, at] : m["stages_us"].items())
    table.add({stage, dump(at)});
  return out + "\n" + table.to_string();
}

std::string drain_state(std::string_view json) {
  const Result<Json> answer = parse(json);
  return answer ? text(*answer, "drain") : "";
}

Result<std::string> render_drain(std::string_view json) {
  const Result<Json> answer = parse(json);
  if (!answer) return tl::unexpected(answer.error());
  const Json& d = *answer;
  const std::string state = text(d, "drain");
  if (state == "none") return std::string("not draining\n");
  std::string out =
      fmt::format("{}: {} moved, {} left{} after {}\n", state, text(d, "moved"), text(d, "left"),
                  counted(d, "blocked"), human_duration(duration(d, "took_us")));
  if (state == "running") return out;
  if (const std::string refused = counted(d, "refused"); !refused.empty()) {
    out += "refused" + refused + "\n";
  }
  return out;
}

Result<std::string> render_trace(std::string_view json) {
  const Result<Json> answer = parse(json);
  if (!answer) return tl::unexpected(answer.error());
  const Json& t = *answer;
  const Json& moves = items(t, "moves");
  const std::string who = text(t, "connection") + " of " + text(t, "peer") + ", at " +
                          text(t, "owner") + ", epoch " + text(t, "epoch");
  if (moves.empty()) return who + ": it has never moved\n";
  std::string out = fmt::format("{}: {} moves\n\n", who,
                                moves.size() + static_cast<std::size_t>(number(t, "older_moves")));
  if (number(t, "older_moves") > 0) out += text(t, "older_moves") + " older ones, then\n";
  Table table({"EPOCH", "FROM", "TO", "BY", "ASKED BY", "MODE", "BYTES", "PREPARED", "FROZEN",
               "AT SOURCE", "CROSSING", "AT TARGET", "FIRST OUT", "FIRST IN", "AGO"});
  for (const Json& move : moves) {
    const auto time = [&move](std::string_view key) {
      const auto found = move.find(key);
      if (found == move.end() || found->is_null()) return std::string("-");
      return human_duration(duration(move, key));
    };
    const std::string forwarder = text(move, "forwarder");
    table.add({text(move, "epoch"), text(move, "from"), text(move, "to"),
               forwarder.empty() ? "-" : forwarder, text(move, "asked_by"), text(move, "mode"),
               text(move, "blob_bytes"), time("prepared_us"), time("frozen_us"),
               time("at_source_us"), time("crossing_us"), time("at_target_us"),
               time("first_out_us"), time("first_in_us"), time("ago_us")});
  }
  return out + table.to_string();
}

Result<std::string> render_event(std::string_view json) {
  const Result<Json> event = parse(json);
  if (!event) return tl::unexpected(event.error());
  std::string out = text(*event, "time") + " " + text(*event, "event");
  for (const auto& [key, value] : event->items()) {
    if (key == "time" || key == "event" || key == "at_us") continue;
    out += " " + printable(key) + "=" + text(*event, key);
  }
  return out;
}

std::string event_name(std::string_view json) {
  const Result<Json> event = parse(json);
  return event ? text(*event, "event") : "";
}

std::string render_metrics_json(std::string_view prometheus_text) {
  Json metrics = Json::object();
  while (!prometheus_text.empty()) {
    const std::size_t end = std::min(prometheus_text.find('\n'), prometheus_text.size());
    const std::string_view line = prometheus_text.substr(0, end);
    prometheus_text.remove_prefix(std::min(end + 1, prometheus_text.size()));
    const std::size_t space = line.rfind(' ');
    if (line.empty() || line.front() == '#' || space == std::string_view::npos) continue;
    const Json value = Json::parse(line.substr(space + 1), nullptr, false);
    metrics[std::string(line.substr(0, space))] = value.is_number() ? value : Json();
  }
  return dump(metrics);
}

Error error_of(std::string_view json) {
  const Json answer = Json::parse(json, nullptr, false);
  const Json error = answer.is_object() && answer.contains("error") ? answer["error"] : Json();
  for (const ErrorCode code :
       {ErrorCode::kInvalidArgument, ErrorCode::kNotFound, ErrorCode::kRefused,
        ErrorCode::kUnavailable, ErrorCode::kBusy, ErrorCode::kTooLarge, ErrorCode::kDeadline,
        ErrorCode::kPermission, ErrorCode::kIo, ErrorCode::kProtocol}) {
    if (text(error, "code") == to_string(code)) return {code, text(error, "text")};
  }
  return {ErrorCode::kProtocol, "the answer is not one of migd's"};
}

std::string error_line_json(const Error& error) {
  return dump({{"error", {{"code", to_string(error.code)}, {"text", error.text}}}});
}

std::string migrate_request_json(const MigrateOptions& options) {
  Json request = {{"id", options.id}, {"to", options.to}, {"wait", options.wait}};
  if (options.mode != MigrationMode::kNow) request["mode"] = to_string(options.mode);
  if (!options.application.empty()) request["application"] = options.application;
  if (options.unbound) request["unbound"] = true;
  if (options.timeout) request["timeout"] = format_duration(*options.timeout);
  return dump(request);
}

std::string bind_request_json(const MigrateOptions& options) {
  Json request = {{"id", options.id}};
  if (!options.application.empty()) request["application"] = options.application;
  if (options.timeout) request["timeout"] = format_duration(*options.timeout);
  return dump(request);
}

std::string drain_request_json(const DrainOptions& options) {
  if (options.stop) return dump({{"stop", true}});
  Json request = Json::object();
  if (!options.to.empty()) request["to"] = options.to;
  if (options.rate != 0) request["rate"] = options.rate;
  if (options.timeout) request["timeout"] = format_duration(*options.timeout);
  return dump(request);
}

std::string check_json(bool ok, std::string_view error, const std::vector<std::string>& warnings) {
  Json json = {{"ok", ok}};
  if (!ok) json["error"] = error;
  json["warnings"] = warnings;
  return dump(json);
}

std::string keygen_json(std::string_view public_key, std::string_view secret_path) {
  return dump({{"public_key", public_key}, {"secret_file", secret_path}});
}

std::string version_json() {
  return dump({{"version", kVersion}});
}

}  // namespace migd
