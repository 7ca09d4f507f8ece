// [link], [admin], [log], [tcp], [migrate]: this node alone.
#include <sys/un.h>

#include "base/limits.h"
#include "cli/config/checks.h"
#include "cli/config/sections.h"

namespace migd {
namespace {

using enum Presence;
constexpr std::uint64_t kBufferMin = 4u << 10;
constexpr std::uint64_t kMemoryMin = 1u << 20, kMemoryMax = std::uint64_t{1} << 40;
constexpr Duration kMinRtoLeast = 5ms, kMinRtoMost = 5s;

std::string read_device(TableReader& link, std::string_view key) {
  const auto name = link.text(key, kRequired, kDeviceExpected);
  if (!name) return "";
  if (!is_device_name(name->value)) {
    link.complain(name->place, key, expected_got(kDeviceExpected, name->value));
  }
  return name->value;
}

void read_fault(TableReader& table, FaultConfig& fault) {
  FaultOptions& options = fault.options;
  options.loss = table.probability("loss").value_or(0);
  options.corruption = table.probability("corrupt").value_or(0);
  options.duplication = table.probability("duplicate").value_or(0);
  options.reordering = table.probability("reorder").value_or(0);
  if (const auto delay = table.duration("delay", 0s, 10s)) options.delay = delay->value;
  if (const auto jitter = table.duration("jitter", 0s, 10s)) options.jitter = jitter->value;
  if (const auto seed = table.integer("seed", kOptional, 0, INT64_MAX)) {
    fault.seed = static_cast<std::uint64_t>(seed->value);
  }
}

}  // namespace

void read_link(TableReader& table, Draft& draft) {
  LinkConfig& link = draft.config.link;
  const auto kind = table.choice("kind", kRequired, {"tun", "packet"});
  if (kind != 0u) {
    link.kind = LinkConfig::Kind::kPacket;
    link.device = read_device(table, "device");
  } else {
    table.only_with("device", "kind = \"packet\"");
  }
  link.name = read_device(table, "name");
  if (const auto mtu = table.integer("mtu", kOptional, limits::kMtuMin, limits::kMtuMax)) {
    link.mtu = static_cast<std::uint16_t>(mtu->value);
  }
  if (const auto path = table.text("pcap", kOptional, "the path of a capture file")) {
    link.pcap_path = draft.absolute(path->value);
  }
  table.table("fault", kOptional,
              [&](TableReader& fault) { read_fault(fault, link.fault.emplace()); });
}

void read_admin(TableReader& admin, Draft& draft) {
  const auto path = admin.text("socket", kOptional, "the path of a UNIX socket");
  if (!path) return;
  draft.config.admin.socket_path = draft.absolute(path->value);
  constexpr std::size_t kPathMax = sizeof(sockaddr_un::sun_path) - 1;
  if (draft.config.admin.socket_path.size() > kPathMax) {
    admin.complain(path->place, "socket",
                   "expected a path of at most " + std::to_string(kPathMax) + " bytes, got " +
                       std::to_string(draft.config.admin.socket_path.size()));
  }
}

void read_log(TableReader& table, Draft& draft) {
  LogConfig& log = draft.config.log;
  if (table.choice("format", kOptional, {"logfmt", "json"}) == 1) log.format = LogFormat::kJson;
  constexpr LogLevel kLevels[] = {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn,
                                  LogLevel::kError};
  if (const auto level = table.choice("level", kOptional, {"debug", "info", "warn", "error"})) {
    log.level = kLevels[*level];
  }
  if (const auto path = table.text("file", kOptional, "the path of the log file")) {
    log.file_path = draft.absolute(path->value);
  }
}

void read_tcp(TableReader& tcp, Draft& draft) {
  NodeOptions& node = draft.config.node;
  if (const auto size = tcp.size("window", kBufferMin, limits::kWindowMax)) {
    node.window_bytes = static_cast<std::uint32_t>(size->value);
  }
  if (const auto size = tcp.size("send_buffer", kBufferMin, limits::kSendBufferMax)) {
    node.send_buffer_bytes = static_cast<std::uint32_t>(size->value);
  }
  node.timestamps = tcp.boolean("timestamps", kOptional).value_or(node.timestamps);
  node.sack = tcp.boolean("sack", kOptional).value_or(node.sack);
  if (const auto min_rto = tcp.duration("min_rto", kMinRtoLeast, kMinRtoMost)) {
    node.min_rto = min_rto->value;
  }
  if (tcp.choice("congestion_control", kOptional, {"cubic", "reno"}) == 1) {
    node.congestion_control = CongestionAlgorithm::kReno;
  }
  if (const auto backlog = tcp.integer("syn_backlog", kOptional, 0, UINT16_MAX)) {
    node.syn_backlog = static_cast<std::uint16_t>(backlog->value);
  }
  node.syn_cookies = tcp.boolean("syn_cookies", kOptional).value_or(node.syn_cookies);
  if (const auto most = tcp.integer("max_connections", kOptional, 1, limits::kConnectionsMax)) {
    node.max_connections = static_cast<std::uint32_t>(most->value);
  }
  if (const auto memory = tcp.size("memory", kMemoryMin, kMemoryMax)) {
    node.memory_bytes = memory->value;
  }
  const auto patience = [&tcp](const char* key, Duration& chosen) {
    const auto found = tcp.duration(key, 0s, 24h);
    if (!found) return;
    chosen = found->value;
    if (chosen != Duration::zero() && chosen < 1s) {
      tcp.complain(found->place, key, "expected \"0s\" (off) or at least \"1s\"");
    }
  };
  patience("keepalive", node.keepalive);
  patience("user_timeout", node.user_timeout);
}

void read_migrate(TableReader& migrate, Draft& draft) {
  if (const auto timeout = migrate.duration("timeout", kMigrateTimeoutMin, kMigrateTimeoutMax)) {
    draft.config.node.migration_timeout = timeout->value;
  }
  NodeOptions& node = draft.config.node;
  node.migration_prepare = migrate.boolean("prepare", kOptional).value_or(node.migration_prepare);
}

}  // namespace migd
