// The commands that ask a running daemon.
#include <ostream>
#include <thread>

#include "cli/commands/admin_client.h"
#include "cli/commands/command.h"
#include "cli/commands/render.h"
#include "cli/config.h"
#include "cli/config/complaints.h"

namespace migd {
namespace {

constexpr Duration kAnswerTimeout = 5s;
// What a migration's own deadline needs on top to be reported by the daemon.
constexpr Duration kGrace = 2s;

int exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kDeadline:
      return kExitDeadline;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
    case ErrorCode::kRefused:
    case ErrorCode::kUnavailable:
    case ErrorCode::kBusy:
    case ErrorCode::kTooLarge:
    case ErrorCode::kPermission:
    case ErrorCode::kIo:
    case ErrorCode::kProtocol:
      return kExitFailed;
  }
  return kExitFailed;
}

// A request that got no answer at all.
int report_unanswered(const Error& error, bool json, Console& console) {
  const int code = report(error, json, console);
  return error.code == ErrorCode::kUnavailable ? kExitUnreachable : code;
}

std::string_view without_newline(std::string_view text) {
  return text.ends_with('\n') ? text.substr(0, text.size() - 1) : text;
}

// GETs `path`, and shows what `render` makes of the answer.
template <typename Render>
int show(const DaemonOptions& options, std::string_view path, const Render& render,
         Console& console) {
  const auto answer = AdminClient(options.socket_path).request("GET", path, "", kAnswerTimeout);
  if (!answer) return report_unanswered(answer.error(), options.json, console);
  if (answer->status != 200) return report(error_of(answer->body), options.json, console);
  const Result<std::string> shown = render(answer->body);
  if (!shown) return report(shown.error(), options.json, console);
  console.out << *shown;
  return kExitDone;
}

}  // namespace

int report(const Error& error, bool json, Console& console) {
  if (json) console.out << error_line_json(error) << "\n";
  console.err << "migd: " << error.text << "\n";
  return exit_code_of(error.code);
}

int status_command(const DaemonOptions& options, Console& console) {
  return show(
      options, "/v1/status",
      [&](const std::string& body) -> Result<std::string> {
        return options.json ? body : render_status(body);
      },
      console);
}

int metrics_command(const DaemonOptions& options, Console& console) {
  return show(
      options, "/v1/metrics",
      [&](const std::string& body) -> Result<std::string> {
        return options.json ? render_metrics_json(body) + "\n" : body;
      },
      console);
}

int conns_command(const DaemonOptions& options, const ConnsFilter& filter, Console& console) {
  return show(
      options, "/v1/conns",
      [&](const std::string& body) { return render_connections(body, filter, options.json); },
      console);
}

namespace {

int tell(const DaemonOptions& options, const char* path, const std::string& request,
         Duration patience, Console& console) {
  const auto answer = AdminClient(options.socket_path).request("POST", path, request, patience);
  if (!answer) return report_unanswered(answer.error(), options.json, console);
  if (answer->status != 200 && answer->status != 202) {
    const Error error = error_of(answer->body);
    if (!options.json || error.code == ErrorCode::kProtocol) {
      return report(error, options.json, console);
    }
    console.out << without_newline(answer->body) << "\n";
    return report(error, false, console);
  }
  const Result<std::string> shown =
      options.json ? Result<std::string>(answer->body) : render_migration(answer->body);
  if (!shown) return report(shown.error(), options.json, console);
  console.out << *shown;
  return kExitDone;
}

// Without a time-out of its own the daemon's decides, which may be as long as any.
Duration patience_with(const MigrateOptions& what) {
  return what.timeout.value_or(kMigrateTimeoutMax) + kGrace;
}

}  // namespace

int migrate_command(const DaemonOptions& options, const MigrateOptions& what, Console& console) {
  return tell(options, "/v1/migrate", migrate_request_json(what),
              what.wait ? patience_with(what) : kAnswerTimeout, console);
}

int bind_command(const DaemonOptions& options, const MigrateOptions& what, Console& console) {
  return tell(options, "/v1/bind", bind_request_json(what), patience_with(what), console);
}

int unbind_command(const DaemonOptions& options, const MigrateOptions& what, Console& console) {
  return tell(options, "/v1/unbind", bind_request_json(what), patience_with(what), console);
}

namespace {

// How a drain has ended, or is going on without us.
int exit_code_of_drain(std::string_view state, bool waited) {
  if (state == "done" || (!waited && state == "running")) return kExitDone;
  return state == "deadline" ? kExitDeadline : kExitFailed;
}

}  // namespace

int drain_command(const DaemonOptions& options, const DrainOptions& what, Console& console) {
  const AdminClient client(options.socket_path);
  auto answer = client.request("POST", "/v1/drain", drain_request_json(what), kAnswerTimeout);
  std::string shown_last;
  for (;;) {
    if (!answer) return report_unanswered(answer.error(), options.json, console);
    if (answer->status != 200) return report(error_of(answer->body), options.json, console);
    const std::string state = drain_state(answer->body);
    const bool over = state != "running" || !what.wait;
    const Result<std::string> shown = render_drain(answer->body);
    if (!shown) return report(shown.error(), options.json, console);
    if (options.json && over) console.out << without_newline(answer->body) << "\n";
    if (!options.json && *shown != shown_last) console.out << *shown << std::flush;
    if (over) return what.stop ? kExitDone : exit_code_of_drain(state, what.wait);
    shown_last = *shown;
    std::this_thread::sleep_for(what.ask_again);
    answer = client.request("GET", "/v1/drain", "", kAnswerTimeout);
  }
}

int trace_command(const DaemonOptions& options, const TraceOptions& what, Console& console) {
  const bool is_id = !what.id.empty() && what.id.size() <= 32 &&
                     what.id.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!is_id) {
    return report({ErrorCode::kInvalidArgument,
                   "'" + printable(what.id) + "' is no connection id, nor the beginning of one"},
                  options.json, console);
  }
  return show(
      options, "/v1/conns/" + what.id + "/trace",
      [&](const std::string& body) -> Result<std::string> {
        return options.json ? body : render_trace(body);
      },
      console);
}

int events_command(const DaemonOptions& options, const EventsOptions& what, Console& console) {
  std::uint64_t shown = 0;
  const auto show_line = [&](std::string_view line) {
    if (!what.all && event_name(line) == "peer_load_reported") return true;
    if (options.json) {
      console.out << line << std::endl;  // each as it comes, also into a pipe
    } else if (const auto text = render_event(line)) {
      console.out << *text << std::endl;
    }
    return console.out.good() && (++shown != what.count);
  };
  const Result<void> done = AdminClient(options.socket_path).lines("/v1/events", show_line);
  if (done) return kExitDone;
  return report_unanswered(done.error(), false, console);
}

}  // namespace migd
