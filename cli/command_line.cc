#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <ostream>
#include <string>

#include "cli/config.h"
#include "cli/config/complaints.h"
#include "cli/config/units.h"

namespace migd {
namespace {

constexpr const char* kFooter =
    "Exit codes: 0 done, 1 failed or refused, 2 usage or configuration, 3 daemon not reachable,\n"
    "5 deadline. The manual: migd(8), migd.toml(5).";

std::string default_socket() {
  const char* const from_environment = std::getenv("MIGD_SOCKET");
  return from_environment != nullptr && *from_environment != '\0' ? from_environment
                                                                  : kDefaultAdminSocket;
}

// Declares the options, and remembers which command was given.
class CommandLine {
 public:
  CommandLine(Console& console, const RunDaemon& run_daemon)
      : console_(console), run_daemon_(run_daemon) {
    app_.require_subcommand(1);
    app_.footer(kFooter);
    app_.add_option("-s,--socket", daemon_.socket_path, "Admin socket of the daemon")
        ->type_name("SOCKET")
        ->default_str(kDefaultAdminSocket);
    daemon_.socket_path = default_socket();
    add_local_commands();
    add_daemon_commands();
  }

  int run(int argc, const char* const* argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::Success&) {  // --help
      return show_help();
    } catch (const CLI::ParseError& error) {
      console_.err << "migd: " << printable(what_is_wrong(error)) << " (see migd --help)\n";
      return kExitUsage;
    }
    return command_();
  }

 private:
  template <typename Command>
  CLI::App* add(const char* name, const char* description, Command command) {
    CLI::App* const sub = app_.add_subcommand(name, description);
    sub->fallthrough();  // -s may stand behind the command too
    sub->callback([this, command] { command_ = command; });
    return sub;
  }

  static void add_config(CLI::App* sub, std::string& path) {
    sub->add_option("-c,--config", path, "Configuration file")->required()->type_name("FILE");
  }
  static void add_json(CLI::App* sub, bool& json, const char* description = "Print one JSON line") {
    sub->add_flag("--json", json, description)->disable_flag_override();
  }

  void add_id(CLI::App* sub) {
    sub->add_option("id", migrate_.id, "Connection id, or a beginning of it that is unique")
        ->required()
        ->type_name("ID");
  }
  void add_migrate_timeout(CLI::App* sub) {
    sub->add_option_function<std::string>(
           "--timeout",
           [this](const std::string& text) {
             migrate_.timeout = timeout_of(text, kMigrateTimeoutMax);
           },
           "Give up after this long, e.g. 500ms or 5s")
        ->type_name("DURATION");
  }

  void add_local_commands() {
    auto* run = add("run", "Run the daemon", [this] { return run_daemon_(run_, console_); });
    add_config(run, run_.config_path);
    run->add_option("--ready-fd", run_.ready_fd, "Descriptor that gets a newline when all is up")
        ->type_name("N")
        ->check(CLI::Range(0, 1 << 20));

    auto* check = add("check", "Check a configuration file and what the host does to its packets",
                      [this] { return check_command(check_, console_); });
    add_config(check, check_.config_path);
    add_json(check, check_.json);

    auto* keygen = add("keygen", "Make a node's secret key, print its public key",
                       [this] { return keygen_command(keygen_, console_); });
    keygen->add_option("--out", keygen_.secret_path, "File for the secret, made with mode 0600")
        ->type_name("FILE")
        ->default_val("migd.key");
    keygen->add_option("--public", keygen_.public_path, "File for the public key")
        ->type_name("FILE");
    add_json(keygen, keygen_.json);

    auto* version =
        add("version", "Print the version", [this] { return version_command(json_, console_); });
    add_json(version, json_);
  }

  void add_daemon_commands() {
    auto* status = add("status", "Show the node, its peers and its services",
                       [this] { return status_command(daemon_, console_); });
    add_json(status, daemon_.json);

    auto* conns = add("conns", "List the node's connections",
                      [this] { return conns_command(daemon_, filter_, console_); });
    conns->add_option("--service", filter_.service, "Only those of this service")
        ->type_name("NAME");
    conns->add_option("--application", filter_.application, "Only those of this application")
        ->type_name("NAME");
    conns->add_option("--owner", filter_.owner, "Only those that this node owns")
        ->type_name("NODE");
    conns->add_option("--state", filter_.state, "Only those in this TCP state, e.g. ESTABLISHED")
        ->type_name("STATE");
    add_json(conns, daemon_.json);

    auto* migrate = add("migrate", "Move a connection to another node",
                        [this] { return migrate_command(daemon_, migrate_, console_); });
    add_id(migrate);
    migrate->add_option("--to", migrate_.to, "The new owner")->required()->type_name("NODE");
    migrate->add_flag("--wait", migrate_.wait, "Return when the new owner is active")
        ->disable_flag_override();
    migrate
        ->add_option_function<std::string>(
            "--mode", [this](const std::string& text) { set_mode(text); },
            "now; drain: first let the client acknowledge all; hold: until the target is there")
        ->type_name("MODE");
    auto* application =
        migrate->add_option("--application", migrate_.application, "Who gets it there")
            ->type_name("NAME");
    migrate->add_flag("--unbound", migrate_.unbound, "Nobody gets it there until it is bound")
        ->disable_flag_override()
        ->excludes(application);
    add_migrate_timeout(migrate);
    add_json(migrate, daemon_.json);

    auto* bind = add("bind", "Give an unbound connection to an application, where it is",
                     [this] { return bind_command(daemon_, migrate_, console_); });
    add_id(bind);
    bind->add_option("--application", migrate_.application, "Default: the one that left it last")
        ->type_name("NAME");
    add_migrate_timeout(bind);
    add_json(bind, daemon_.json);

    auto* unbind = add("unbind", "Take a connection from its application, which leaves its state",
                       [this] { return unbind_command(daemon_, migrate_, console_); });
    add_id(unbind);
    add_migrate_timeout(unbind);
    add_json(unbind, daemon_.json);

    auto* drain = add("drain", "Move all connections away, and take no new ones",
                      [this] { return drain_command(daemon_, drain_, console_); });
    drain->add_option("--to", drain_.to, "Only to these nodes")->type_name("NODE");
    drain->add_option("--rate", drain_.rate, "Moves a second, at most")
        ->type_name("N")
        ->check(CLI::Range(1u, kDrainRateMax));
    drain->add_flag("--wait", drain_.wait, "Return when nothing is left, or the time is over")
        ->disable_flag_override();
    drain
        ->add_option_function<std::string>(
            "--timeout",
            [this](const std::string& text) {
              drain_.timeout = timeout_of(text, kDrainTimeoutMax);
            },
            "Leave what has not moved after this long (default: 1m)")
        ->type_name("DURATION");
    drain->add_flag("--stop", drain_.stop, "Move nothing more, and take new connections again")
        ->disable_flag_override();
    add_json(drain, daemon_.json);

    auto* trace = add("trace", "Show every move that a connection has made",
                      [this] { return trace_command(daemon_, trace_, console_); });
    trace->add_option("id", trace_.id, "Connection id, or a beginning of it that is unique")
        ->required()
        ->type_name("ID");
    add_json(trace, daemon_.json);

    auto* events = add("events", "Print what happens, as it happens",
                       [this] { return events_command(daemon_, events_, console_); });
    events->add_flag("-f,--follow", follow_, "Go on until interrupted (the default)")
        ->disable_flag_override();
    events->add_flag("--all", events_.all, "Also what every heartbeat says")
        ->disable_flag_override();
    events->add_option("--count", events_.count, "End after this many lines")
        ->type_name("N")
        ->check(CLI::Range(1, 1000000000));
    add_json(events, daemon_.json, "Print one JSON object per line");

    auto* metrics = add("metrics", "Print counters in Prometheus' text format",
                        [this] { return metrics_command(daemon_, console_); });
    add_json(metrics, daemon_.json);
  }

  void set_mode(const std::string& text) {
    const auto mode = parse_migration_mode(text);
    if (!mode) {
      throw CLI::ValidationError("--mode", "expected now, drain or hold, got '" + text + "'");
    }
    migrate_.mode = *mode;
  }

  static Duration timeout_of(const std::string& text, Duration most) {
    const auto timeout = parse_duration(text);
    if (timeout && *timeout >= kMigrateTimeoutMin && *timeout <= most) return *timeout;
    throw CLI::ValidationError("--timeout", "expected a duration from " +
                                                format_duration(kMigrateTimeoutMin) + " to " +
                                                format_duration(most) + ", got '" + text + "'");
  }

  std::string what_is_wrong(const CLI::ParseError& error) {
    if (!app_.get_subcommands().empty() ||
        dynamic_cast<const CLI::RequiredError*>(&error) == nullptr) {
      return error.what();
    }
    const std::vector<std::string> words = app_.remaining();
    if (words.empty()) return "a command is required";
    std::vector<std::string> commands;
    for (const CLI::App* command : app_.get_subcommands({}))
      commands.push_back(command->get_name());
    const auto meant = nearest(words.front(), commands);
    return "there is no command '" + words.front() + "'" +
           (meant ? ", did you mean '" + *meant + "'?" : "");
  }

  int show_help() {
    const auto given = app_.get_subcommands();
    console_.out << (given.empty() ? app_.help() : given.front()->help("migd"));
    return kExitDone;
  }

  Console& console_;
  const RunDaemon& run_daemon_;
  CLI::App app_{"migd: live TCP connections that move between nodes", "migd"};
  std::function<int()> command_;

  RunOptions run_;
  CheckOptions check_;
  KeygenOptions keygen_;
  DaemonOptions daemon_;
  ConnsFilter filter_;
  MigrateOptions migrate_;
  DrainOptions drain_;
  TraceOptions trace_;
  EventsOptions events_;
  bool json_ = false;
  bool follow_ = true;
};

}  // namespace

int run_cli(int argc, const char* const* argv, std::ostream& out, std::ostream& err,
            const RunDaemon& run_daemon) {
  Console console{out, err};
  return CommandLine(console, run_daemon).run(argc, argv);
}

}  // namespace migd
