#include "cli/admin/admin_json.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "cli/config.h"
#include "cli/config/units.h"
#include "cli/json.h"
#include "cli/version.h"

namespace migd {
namespace {

Json json_of(const Roles& roles) {
  Json names = Json::array();
  if (roles.forwarder) names.push_back("forwarder");
  if (roles.classifier) names.push_back("classifier");
  if (roles.host) names.push_back("host");
  return names;
}

Json json_of(const PeerStatus& peer) {
  return {{"name", peer.name},
          {"id", peer.id.value},
          {"roles", json_of(peer.roles)},
          {"up", peer.up},
          {"round_trip_us", to_microseconds(peer.round_trip)},
          {"connections", peer.load.connections},
          {"busy_permille", peer.load.busy_permille},
          {"draining", peer.load.draining}};
}

Json json_of(const ServiceStatus& service) {
  Json vips = Json::array();
  for (const Endpoint& vip : service.vips)
    vips.push_back(vip.to_string());
  return {{"name", service.name}, {"vips", vips}};
}

Json json_of(const MigrationCounts& counts) {
  return {{"completed", counts.completed},
          {"refused", counts.refused},
          {"aborted", counts.aborted},
          {"arrived", counts.arrived},
          {"freeze_median_us", to_microseconds(counts.freeze_median)},
          {"freeze_p99_us", to_microseconds(counts.freeze_p99)}};
}

Json json_of(const std::optional<Duration>& time) {
  return time ? Json(to_microseconds(*time)) : Json();
}

Json json_of(const TracedMove& move) {
  return {{"epoch", move.epoch.value},
          {"from", move.from},
          {"to", move.to},
          {"forwarder", move.forwarder},
          {"asked_by", move.asked_by},
          {"mode", to_string(move.mode)},
          {"at_once", move.at_once},
          {"blob_bytes", move.blob_bytes},
          {"prepared_us", to_microseconds(move.prepared)},
          {"at_source_us", to_microseconds(move.at_source)},
          {"crossing_us", to_microseconds(move.crossing)},
          {"at_target_us", to_microseconds(move.at_target)},
          {"frozen_us", to_microseconds(move.frozen)},
          {"first_out_us", json_of(move.first_out)},
          {"first_in_us", json_of(move.first_in)},
          {"ago_us", to_microseconds(move.ago)}};
}

std::string utc_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z",
                     fmt::gmtime(static_cast<std::time_t>(us / 1'000'000)), us % 1'000'000);
}

Json event(std::string_view name, Instant at) {
  return {{"event", name}, {"time", utc_now()}, {"at_us", to_microseconds(at.time_since_epoch())}};
}

template <std::size_t N>
bool one_of(std::string_view key, const std::array<std::string_view, N>& keys) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

bool is_number(std::string_view key) {
  constexpr std::array kNumbers = {
      std::string_view("epoch"),       std::string_view("expected_epoch"),
      std::string_view("request"),     std::string_view("flow"),
      std::string_view("bytes_in"),    std::string_view("bytes_out"),
      std::string_view("connections"), std::string_view("boot")};
  return key.ends_with("_us") || key.ends_with("_bytes") || key.ends_with("_permille") ||
         one_of(key, kNumbers);
}

// Text, but numbers and truth values as JSON has them, and nodes by name.
Json json_of(const MessageField& field, const NodeNames& names) {
  constexpr std::array kNodes = {std::string_view("source"), std::string_view("target"),
                                 std::string_view("owner"), std::string_view("previous_owner"),
                                 std::string_view("peer")};
  constexpr std::array kTruths = {std::string_view("restored"), std::string_view("draining")};
  if (is_number(field.key)) {
    Json number = Json::parse(field.value, nullptr, false);
    if (number.is_number_integer()) return number;
  }
  if (one_of(field.key, kTruths)) return field.value == "true";
  if (one_of(field.key, kNodes)) {
    for (const auto& [id, name] : names) {
      if (field.value == std::to_string(id.value)) return name;
    }
  }
  return field.value;
}

tl::unexpected<Error> wrong(std::string_view key, std::string_view expected) {
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}: expected {}", key, expected));
}

// A duration within those bounds, as text.
Result<Duration> read_timeout(const Json& value, Duration least, Duration most) {
  const auto timeout = parse_duration(value.get<std::string>());
  if (timeout && *timeout >= least && *timeout <= most) return *timeout;
  return wrong("timeout", fmt::format("a duration from \"{}\" to \"{}\"", format_duration(least),
                                      format_duration(most)));
}

// What all commands about one connection may say; false for another key, or another type.
Result<bool> read_common_key(std::string_view key, const Json& value, MigrateCommand& command) {
  if (key == "id" && value.is_string()) {
    command.id = value.get<std::string>();
  } else if (key == "timeout" && value.is_string()) {
    const auto timeout = read_timeout(value, kMigrateTimeoutMin, kMigrateTimeoutMax);
    if (!timeout) return tl::unexpected(timeout.error());
    command.terms.timeout = *timeout;
  } else {
    return false;
  }
  return true;
}

Result<bool> read_bind_key(std::string_view key, const Json& value, MigrateCommand& command) {
  if (key != "application" || !value.is_string()) return read_common_key(key, value, command);
  command.terms.application = value.get<std::string>();
  return true;
}

Result<bool> read_migrate_key(std::string_view key, const Json& value, MigrateCommand& command) {
  if (key == "to" && value.is_string()) {
    command.to = value.get<std::string>();
  } else if (key == "wait" && value.is_boolean()) {
    command.wait = value.get<bool>();
  } else if (key == "unbound" && value.is_boolean()) {
    command.terms.unbound = value.get<bool>();
  } else if (key == "mode" && value.is_string()) {
    const auto mode = parse_migration_mode(value.get<std::string>());
    if (!mode) return wrong(key, "\"now\", \"drain\" or \"hold\"");
    command.terms.mode = *mode;
  } else {
    return read_bind_key(key, value, command);
  }
  return true;
}

using ReadKey = Result<bool> (*)(std::string_view key, const Json& value, MigrateCommand& command);

Result<MigrateCommand> parse_command(std::string_view text, Duration default_timeout, ReadKey read,
                                     std::string_view keys) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return wrong("body", "a JSON object");
  MigrateCommand command;
  command.terms.timeout = default_timeout;
  for (const auto& [key, value] : json.items()) {
    const Result<bool> known = read(key, value, command);
    if (!known) return tl::unexpected(known.error());
    if (!*known) return wrong("body", fmt::format("the keys {}, each of its type", keys));
  }
  if (command.id.empty()) return wrong("id", "a connection id or the beginning of one");
  if (command.terms.unbound && !command.terms.application.empty()) {
    return wrong("unbound", "no application beside it");
  }
  return command;
}

bool all_text(const Json& array) {
  return std::all_of(array.begin(), array.end(), [](const Json& item) { return item.is_string(); });
}

Result<void> read_drain_command(const Json& json, DrainCommand& command) {
  for (const auto& [key, value] : json.items()) {
    if (key == "to" && value.is_array() && all_text(value)) {
      command.wish.targets = value.get<std::vector<std::string>>();
    } else if (key == "rate" && value.is_number_unsigned()) {
      const auto rate = value.get<std::uint64_t>();
      if (rate > kDrainRateMax) return wrong(key, fmt::format("at most {}", kDrainRateMax));
      command.wish.per_second = static_cast<std::uint32_t>(rate);
    } else if (key == "timeout" && value.is_string()) {
      const auto timeout = read_timeout(value, kMigrateTimeoutMin, kDrainTimeoutMax);
      if (!timeout) return tl::unexpected(timeout.error());
      command.wish.timeout = *timeout;
    } else if (key == "stop" && value.is_boolean()) {
      command.stop = value.get<bool>();
    } else {
      return wrong("body", "the keys to, rate, timeout and stop, each of its type");
    }
  }
  return {};
}

}  // namespace

std::string to_json(const StatusReport& report) {
  Json json = {{"node", report.node},
               {"id", report.id.value},
               {"version", kVersion},
               {"boot", report.boot.value},
               {"roles", json_of(report.roles)},
               {"state", report.draining ? "draining" : "ready"},
               {"uptime_us", to_microseconds(report.uptime)},
               {"link", report.link},
               {"connections", report.connections},
               {"half_open", report.half_open},
               {"time_wait_records", report.time_wait_records},
               {"frozen", report.frozen},
               {"memory", report.memory},
               {"mappings", report.mappings},
               {"drops", report.drops},
               {"migrations", json_of(report.migrations)},
               {"peers", Json::array()},
               {"services", Json::array()}};
  for (const PeerStatus& peer : report.peers)
    json["peers"].push_back(json_of(peer));
  for (const ServiceStatus& service : report.services) {
    json["services"].push_back(json_of(service));
  }
  return dump(json);
}

std::string to_json(const ConnectionRow& row) {
  return dump({{"id", row.id.to_string()},
               {"epoch", row.epoch.value},
               {"peer", row.tuple.peer.to_string()},
               {"local", row.tuple.local.to_string()},
               {"service", row.service},
               {"application", row.application},
               {"state", row.state},
               {"owner", row.owner_node},
               {"bytes_in", row.bytes_in},
               {"bytes_out", row.bytes_out},
               {"age_us", to_microseconds(row.age)},
               {"readable", row.readable},
               {"unsent", row.unsent},
               {"unacknowledged", row.unacknowledged},
               {"blockers", row.blockers},
               {"rtt_us", to_microseconds(row.rtt)}});
}

std::string to_json(const MigrateReport& report) {
  Json json = {{"outcome", report.error ? "failed" : "completed"}};
  if (report.error) {
    json["error"] = {{"code", to_string(*report.error)}, {"text", report.reason}};
    if (report.from.empty()) return dump(json);  // no connection was found
  }
  json.update({{"connection", report.connection.to_string()},
               {"epoch", report.epoch.value},
               {"from", report.from},
               {"to", report.to},
               {"blob_bytes", report.blob_bytes},
               {"freeze_us", to_microseconds(report.freeze)}});
  Json stages = Json::object();
  for (const StageTime& stage : report.stages)
    stages[stage.stage] = to_microseconds(stage.at);
  json["stages_us"] = stages;
  return dump(json);
}

std::string to_json(const TraceReport& report) {
  Json json = {{"connection", report.connection.to_string()},
               {"epoch", report.epoch.value},
               {"peer", report.tuple.peer.to_string()},
               {"local", report.tuple.local.to_string()},
               {"owner", report.owner},
               {"older_moves", report.older_moves},
               {"moves", Json::array()}};
  for (const TracedMove& move : report.moves)
    json["moves"].push_back(json_of(move));
  return dump(json);
}

std::string error_json(ErrorCode code, std::string_view text) {
  return dump({{"error", {{"code", to_string(code)}, {"text", text}}}});
}

std::string event_json(const Message& message, Instant at, const NodeNames& names) {
  Json json = event(name_of(message), at);
  for (const MessageField& field : fields_of(message)) {
    json[std::string(field.key)] = json_of(field, names);
  }
  return dump(json);
}

std::string watching_json(std::string_view node, Instant at) {
  Json json = event("watching", at);
  json["node"] = node;
  return dump(json);
}

std::string dropped_json(std::uint64_t count, Instant at) {
  Json json = event("events_dropped", at);
  json["count"] = count;
  return dump(json);
}

std::string to_json(const DrainReport& report) {
  return dump({{"drain", to_string(report.state)},
               {"moved", report.moved},
               {"refused", report.refused},
               {"under_way", report.under_way},
               {"left", report.left},
               {"blocked", report.blocked},
               {"took_us", to_microseconds(report.took)}});
}

Result<DrainCommand> parse_drain_command(std::string_view text) {
  DrainCommand command;
  if (text.empty()) return command;
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return wrong("body", "a JSON object");
  const Result<void> read = read_drain_command(json, command);
  return read.map([&] { return command; });
}

Result<MigrateCommand> parse_migrate_command(std::string_view text, Duration default_timeout) {
  auto command = parse_command(text, default_timeout, read_migrate_key,
                               "id, to, wait, mode, application, unbound and timeout");
  if (command && command->to.empty()) return wrong("to", "the name of a node");
  return command;
}

Result<MigrateCommand> parse_bind_command(std::string_view text, Duration default_timeout) {
  return parse_command(text, default_timeout, read_bind_key, "id, application and timeout")
      .map([](MigrateCommand command) {
        command.wait = true;
        return command;
      });
}

Result<MigrateCommand> parse_unbind_command(std::string_view text, Duration default_timeout) {
  return parse_command(text, default_timeout, read_common_key, "id and timeout")
      .map([](MigrateCommand command) {
        command.wait = command.terms.unbound = true;
        return command;
      });
}

}  // namespace migd
