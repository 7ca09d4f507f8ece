#include "cli/admin/admin_server.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace migd {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kJsonLines = "application/x-ndjson";
constexpr std::string_view kPrometheus = "text/plain; version=0.0.4";
constexpr std::size_t kRowsAtOnce = 256;

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kRefused:
      return 409;
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kBusy:
      return 409;
    case ErrorCode::kTooLarge:
      return 413;
    case ErrorCode::kDeadline:
      return 504;
    case ErrorCode::kPermission:
      return 403;
    case ErrorCode::kIo:
      return 500;
    case ErrorCode::kProtocol:
      return 500;
  }
  return 500;
}

// Of "/v1/conns/ID/trace".
std::optional<std::string_view> traced_id(std::string_view path) {
  constexpr std::string_view kBefore = "/v1/conns/", kBehind = "/trace";
  if (!path.starts_with(kBefore) || !path.ends_with(kBehind) ||
      path.size() <= kBefore.size() + kBehind.size()) {
    return std::nullopt;
  }
  path.remove_prefix(kBefore.size());
  path.remove_suffix(kBehind.size());
  if (path.find('/') != std::string_view::npos) return std::nullopt;
  return path;
}

// Writes {"connections":[...]} row by row, so that neither the loop nor the memory feels how many
// there are.
class ConnectionList {
 public:
  explicit ConnectionList(std::vector<ConnectionRow> rows) : rows_(std::move(rows)) {}

  bool operator()(std::string& out) {
    if (next_ == 0) out += R"({"connections":[)";
    for (std::size_t n = 0; n < kRowsAtOnce && next_ < rows_.size(); ++n, ++next_) {
      if (next_ != 0) out += ',';
      out += to_json(rows_[next_]);
    }
    if (next_ < rows_.size()) return true;
    out += "]}\n";
    return false;
  }

 private:
  std::vector<ConnectionRow> rows_;
  std::size_t next_ = 0;
};

}  // namespace

AdminServer::AdminServer(AdminServerOptions options, EventLoop& loop, AdminService& service)
    : options_(std::move(options)), loop_(loop), service_(service) {
  service_.subscribe_events([self = std::weak_ptr(self_)](const Message& message, Instant at) {
    if (const auto server = self.lock()) (*server)->on_event(message, at);
  });
}

AdminServer::~AdminServer() = default;

void AdminServer::accept(std::unique_ptr<StreamSocket> socket) {
  const auto session =
      std::make_shared<AdminSession>(std::move(socket), loop_, static_cast<AdminRouter&>(*this));
  sessions_.emplace(session.get(), session);
  if (sessions_.size() > kSessionsMax) session->end();
}

// Called from inside the session, which must not be destroyed there.
void AdminServer::on_session_ended(AdminSession& session) {
  loop_.post([self = std::weak_ptr(self_), key = &session] {
    if (const auto server = self.lock()) (*server)->sessions_.erase(key);
  });
}

void AdminServer::route(const std::string& method, const std::string& target,
                        const std::string& body, AdminSession& session) {
  struct Route {
    std::string_view path;
    std::string_view method;
    void (AdminServer::*answer)(const std::string& body, AdminSession& session);
  };
  static constexpr Route kRoutes[] = {
      {"/v1/status", "GET", &AdminServer::send_status},
      {"/v1/conns", "GET", &AdminServer::send_connections},
      {"/v1/metrics", "GET", &AdminServer::send_metrics},
      {"/v1/events", "GET", &AdminServer::send_events},
      {"/v1/migrate", "POST", &AdminServer::migrate},
      {"/v1/bind", "POST", &AdminServer::bind},
      {"/v1/unbind", "POST", &AdminServer::unbind},
      {"/v1/drain", "GET", &AdminServer::send_drain},
      {"/v1/drain", "POST", &AdminServer::drain},
  };
  ++requests_;
  const std::string_view path = std::string_view(target).substr(0, target.find('?'));
  if (const auto id = traced_id(path)) {
    if (method == "GET") return trace(std::string(*id), session);
    return refuse(session, 405, ErrorCode::kInvalidArgument, "not with this method",
                  "Allow: GET\r\n");
  }
  std::string allowed;
  for (const Route& route : kRoutes) {
    if (path != route.path) continue;
    if (method == route.method) return (this->*route.answer)(body, session);
    allowed += fmt::format("{}{}", allowed.empty() ? "" : ", ", route.method);
  }
  if (!allowed.empty()) {
    refuse(session, 405, ErrorCode::kInvalidArgument, "not with this method",
           fmt::format("Allow: {}\r\n", allowed));
    return;
  }
  refuse(session, 404, ErrorCode::kNotFound, "there is nothing of that name");
}

void AdminServer::refuse(AdminSession& session, int status, ErrorCode code, std::string_view text,
                         std::string_view more_headers) {
  ++requests_refused_;
  session.respond(status, kJson, error_json(code, text) + "\n", more_headers);
}

void AdminServer::send_status(const std::string& /*body*/, AdminSession& session) {
  session.respond(200, kJson, to_json(service_.status()) + "\n");
}

void AdminServer::send_metrics(const std::string& /*body*/, AdminSession& session) {
  session.respond(200, kPrometheus, service_.metrics_text() + own_metrics());
}

void AdminServer::send_connections(const std::string& /*body*/, AdminSession& session) {
  session.respond_in_pieces(kJson, ConnectionList(service_.connections()));
}

void AdminServer::migrate(const std::string& body, AdminSession& session) {
  carry_out(parse_migrate_command(body, options_.migration_timeout), session);
}

void AdminServer::bind(const std::string& body, AdminSession& session) {
  carry_out(parse_bind_command(body, options_.migration_timeout), session);
}

void AdminServer::unbind(const std::string& body, AdminSession& session) {
  carry_out(parse_unbind_command(body, options_.migration_timeout), session);
}

void AdminServer::carry_out(const Result<MigrateCommand>& command, AdminSession& session) {
  if (!command) {
    return refuse(session, 400, command.error().code, command.error().text);
  }
  // Whoever answers first: the service, or, without wait, the acceptance below.
  const auto answered = std::make_shared<bool>(false);
  service_.migrate(command->id, command->to, command->terms,
                   [weak = session.weak_from_this(), answered](const MigrateReport& report) {
                     const auto client = weak.lock();
                     if (client == nullptr || std::exchange(*answered, true)) return;
                     client->respond(report.error ? status_of(*report.error) : 200, kJson,
                                     to_json(report) + "\n");
                   });
  if (command->wait || std::exchange(*answered, true)) return;
  session.respond(202, kJson, "{\"outcome\":\"accepted\"}\n");
}

void AdminServer::send_drain(const std::string& /*body*/, AdminSession& session) {
  session.respond(200, kJson, to_json(service_.drain_report()) + "\n");
}

void AdminServer::drain(const std::string& body, AdminSession& session) {
  const Result<DrainCommand> command = parse_drain_command(body);
  if (!command) return refuse(session, 400, command.error().code, command.error().text);
  if (command->stop) {
    service_.stop_drain();
  } else if (const Result<void> begun = service_.start_drain(command->wish); !begun) {
    return refuse(session, status_of(begun.error().code), begun.error().code, begun.error().text);
  }
  send_drain(body, session);
}

void AdminServer::trace(const std::string& id, AdminSession& session) {
  service_.trace(id, [weak = session.weak_from_this()](const TraceReport& report) {
    const auto client = weak.lock();
    if (client == nullptr) return;
    if (report.error) {
      client->respond(status_of(*report.error), kJson,
                      error_json(*report.error, report.reason) + "\n");
    } else {
      client->respond(200, kJson, to_json(report) + "\n");
    }
  });
}

void AdminServer::send_events(const std::string& /*body*/, AdminSession& session) {
  session.respond_with_events(kJsonLines);
  session.push(watching_json(options_.node, loop_.now()) + "\n");
}

void AdminServer::on_event(const Message& message, Instant at) {
  std::string line;  // written once, and only when somebody reads
  for (const auto& [key, session] : sessions_) {
    if (!session->takes_events()) continue;
    if (line.empty()) line = event_json(message, at, options_.names) + "\n";
    push(*session, line, at);
  }
}

void AdminServer::push(AdminSession& session, const std::string& line, Instant at) {
  if (const std::uint64_t dropped = session.take_dropped(); dropped != 0) {
    session.push(dropped_json(dropped, at) + "\n");
  }
  if (!session.push(line)) ++events_dropped_;
}

std::string AdminServer::own_metrics() const {
  return fmt::format(
      "migd_admin_requests_total {}\nmigd_admin_requests_refused_total {}\n"
      "migd_admin_sessions {}\nmigd_admin_events_dropped_total {}\n",
      requests_, requests_refused_, sessions_.size(), events_dropped_);
}

}  // namespace migd
