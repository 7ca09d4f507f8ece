// The admin interface: HTTP/1.1 and JSON on a UNIX socket.
//
//   GET  /v1/status     the node, its peers and services
//   GET  /v1/conns      {"connections": [...]}, of this node's stack
//   GET  /v1/metrics    Prometheus text
//   GET  /v1/events     one JSON object per line, without end; first a line "watching"
//   POST /v1/migrate    {"id", "to", "wait", "timeout"}: 202 when accepted, or, with wait, 200 when
//                       the new owner is active
//
// Errors are {"error": {"code", "text"}} with a status of the 4xx or 5xx kind.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/event_loop.h"
#include "base/stream_socket.h"
#include "cli/admin/admin_json.h"
#include "cli/admin/admin_session.h"
#include "cli/admin_service.h"

namespace migd {

struct AdminServerOptions {
  std::string node;
  NodeNames names;                  // for events
  Duration migration_timeout = 5s;  // of requests that name none
};

class AdminServer : private AdminRouter {
 public:
  static constexpr std::size_t kSessionsMax = 64;

  // Loop and service outlive the server.
  AdminServer(AdminServerOptions options, EventLoop& loop, AdminService& service);
  ~AdminServer() override;

  // A new client; from a StreamListener's accept handler.
  void accept(std::unique_ptr<StreamSocket> socket);

  std::size_t session_count() const { return sessions_.size(); }
  std::uint64_t events_dropped() const { return events_dropped_; }

 private:
  void route(const std::string& method, const std::string& target, const std::string& body,
             AdminSession& session) override;
  void on_session_ended(AdminSession& session) override;

  void send_status(const std::string& body, AdminSession& session);
  void send_connections(const std::string& body, AdminSession& session);
  void send_metrics(const std::string& body, AdminSession& session);
  void send_events(const std::string& body, AdminSession& session);
  void migrate(const std::string& body, AdminSession& session);
  void bind(const std::string& body, AdminSession& session);
  void unbind(const std::string& body, AdminSession& session);
  void carry_out(const Result<MigrateCommand>& command, AdminSession& session);
  void send_drain(const std::string& body, AdminSession& session);
  void drain(const std::string& body, AdminSession& session);
  void trace(const std::string& id, AdminSession& session);
  void refuse(AdminSession& session, int status, ErrorCode code, std::string_view text,
              std::string_view more_headers = {});
  void on_event(const Message& message, Instant at);
  void push(AdminSession& session, const std::string& line, Instant at);
  std::string own_metrics() const;

  const AdminServerOptions options_;
  EventLoop& loop_;
  AdminService& service_;
  std::unordered_map<AdminSession*, std::shared_ptr<AdminSession>> sessions_;
  std::uint64_t requests_ = 0;
  std::uint64_t requests_refused_ = 0;
  std::uint64_t events_dropped_ = 0;
  // Outlived by callbacks that the service and the loop still have.
  std::shared_ptr<AdminServer*> self_ = std::make_shared<AdminServer*>(this);
};

}  // namespace migd
