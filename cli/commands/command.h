// The commands of the program: options in, exit code out. What a command has to say goes to `out`
// (with --json exactly one line), what went wrong to `err`, in one line.
#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "base/messages.h"
#include "base/result.h"
#include "base/time.h"

namespace migd {

enum ExitCode : int {
  kExitDone = 0,
  kExitFailed = 1,       // or refused
  kExitUsage = 2,        // or a wrong configuration
  kExitUnreachable = 3,  // no daemon
  kExitDeadline = 5,
};

struct Console {
  std::ostream& out;
  std::ostream& err;
};

// What the commands to a running daemon have in common.
struct DaemonOptions {
  std::string socket_path;
  bool json = false;
};

struct CheckOptions {
  std::string config_path;
  bool json = false;
};
int check_command(const CheckOptions& options, Console& console);

struct KeygenOptions {
  std::string secret_path;
  std::string public_path;  // empty: only printed
  bool json = false;
};
int keygen_command(const KeygenOptions& options, Console& console);

int version_command(bool json, Console& console);
int status_command(const DaemonOptions& options, Console& console);
int metrics_command(const DaemonOptions& options, Console& console);

struct ConnsFilter {
  std::string service, application, owner, state;  // empty: any
};
int conns_command(const DaemonOptions& options, const ConnsFilter& filter, Console& console);

struct MigrateOptions {
  std::string id;
  std::string to;
  bool wait = false;
  MigrationMode mode = MigrationMode::kNow;
  std::string application;  // empty: the one that has it
  bool unbound = false;
  std::optional<Duration> timeout;  // nothing: the daemon's
};
int migrate_command(const DaemonOptions& options, const MigrateOptions& what, Console& console);
// It stays where it is; `to`, `wait` and `mode` are not asked.
int bind_command(const DaemonOptions& options, const MigrateOptions& what, Console& console);
int unbind_command(const DaemonOptions& options, const MigrateOptions& what, Console& console);

struct DrainOptions {
  std::vector<std::string> to;  // none: the nodes that serve the same
  std::uint32_t rate = 0;       // moves a second; 0: as fast as they go
  bool stop = false;            // take new connections again
  bool wait = false;
  std::optional<Duration> timeout;  // nothing: the daemon's
  Duration ask_again = 200ms;       // while waiting
};
int drain_command(const DaemonOptions& options, const DrainOptions& what, Console& console);

struct TraceOptions {
  std::string id;
};
int trace_command(const DaemonOptions& options, const TraceOptions& what, Console& console);

struct EventsOptions {
  bool all = false;         // also what comes by the heartbeat: peer_load_reported
  std::uint64_t count = 0;  // 0: without end
};
int events_command(const DaemonOptions& options, const EventsOptions& what, Console& console);

struct RunOptions {
  std::string config_path;
  std::optional<int> ready_fd;
};

// Says what failed, in one line and with --json also as the one line on `out`.
int report(const Error& error, bool json, Console& console);

}  // namespace migd
