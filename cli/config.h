// The configuration file: TOML in, plain values out, everything checked. docs/man/migd.toml.5 says
// what each key means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "cli/node_options.h"
#include "stack/links/fault_line.h"

namespace migd {

// What the fault injector does to the packets of a link, in both directions.
struct FaultConfig {
  FaultOptions options;
  std::uint64_t seed = 1;  // the same seed, the same faults
};

struct LinkConfig {
  enum class Kind {
    kTun,     // `name` is the TUN device
    kPacket,  // `name` is the kernel's end of a veth pair, `device` the end that migd opens
  };
  Kind kind = Kind::kTun;
  std::string name;
  std::string device;
  std::uint16_t mtu = 1500;
  std::optional<FaultConfig> fault;
  std::string pcap_path;  // empty: no capture
};

struct AdminConfig {
  std::string socket_path;
};

inline constexpr const char* kDefaultAdminSocket = "/run/migd/admin.sock";

struct LogConfig {
  LogFormat format = LogFormat::kLogfmt;
  LogLevel level = LogLevel::kInfo;
  std::string file_path;  // empty: stderr
};

inline constexpr Duration kMigrateTimeoutMin = 10ms;
inline constexpr Duration kMigrateTimeoutMax = 1h;
inline constexpr Duration kDrainTimeout = 1min;  // unless the command says another
inline constexpr Duration kDrainTimeoutMax = 24h;
inline constexpr std::uint32_t kDrainRateMax = 1'000'000;  // moves a second

struct Config {
  NodeOptions node;  // secret_keys is empty when no key file is named, which needs no peers
  LinkConfig link;
  AdminConfig admin;
  LogConfig log;
  std::vector<std::string> warnings;  // one line each, "FILE:LINE: KEY: TEXT"
};

enum class SecretPolicy {
  kWarnIfAbsent,  // check: a key file or a served folder that does not exist is a warning
  kRequire,       // run
};

// Paths in the result are absolute or relative to the working directory; those in the file are
// relative to the file. The error's text is one line, "FILE:LINE: KEY: what was expected", of the
// first fault in file order (kInvalidArgument); nothing else has happened.
Result<Config> load_config(const std::string& path, SecretPolicy secrets);

}  // namespace migd
