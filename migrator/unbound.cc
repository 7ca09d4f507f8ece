#include "migrator/unbound.h"

#include <utility>

namespace migd {

// ---- what the classifier has decided ----

void UnboundConnections::place(const ConnectionClassified& classified, Instant now) {
  const ConnectionId& id = classified.endpoint.connection;
  if (classified.target != env_.options.self) {
    MigrationRequest request;
    request.connection = id;
    request.target = classified.target;
    request.terms.application = classified.application;
    request.asked_by = "classifier";
    env_.bus.post(std::move(request));
    return;
  }
  Connection* connection = env_.stack.find(classified.endpoint);
  if (connection == nullptr || connection->frozen()) return;  // ended, or moving, meanwhile
  if (const auto bound = associate(*connection, classified.application); !bound) {
    env_.count_refusal(bound.error().text);
    connection->abort();
    return;
  }
  // Another node's forwarder sends its packets here by hash so far; a mapping is cheaper.
  const NodeId forwarder = env_.forwarder_of(id);
  if (forwarder != env_.options.self && forwarder != NodeId{}) {
    env_.announce_owner(connection->tuple(), {id, connection->epoch()}, forwarder, now);
  }
}

// ---- what has come in ----

void UnboundConnections::on_established(Connection& connection) {
  if (connection.application_done()) return;  // it wants none
  const auto record = env_.records.find(connection.id());
  if (record == env_.records.end() || record->second.kept) return;
  const std::string application = std::exchange(record->second.intended, "");
  if (application.empty()) {
    // Its migration was refused if nobody listened here.
    if (AcceptHandler* const acceptor = env_.stack.acceptor(connection.tuple().local)) {
      acceptor->on_established(connection);
    }
    return;
  }
  if (const auto bound = associate(connection, application); !bound) {
    env_.count_refusal(bound.error().text);
    connection.abort();
  }
}

void UnboundConnections::on_superseded(const wire::Moved& by, NodeId forwarder, Instant now) {
  Connection* const connection = env_.stack.find(by.tuple);
  if (connection == nullptr || connection->frozen() ||
      connection->state() != TcpState::kSynReceived) {
    return;
  }
  if (by.instead_of != Tenure{connection->id(), connection->epoch()}) return;
  // Another forwarder may not have heard of this one's SYN.
  const auto record = env_.records.find(connection->id());
  if (record == env_.records.end() || record->second.forwarder != forwarder) return;
  env_.stack.release(env_.shim.freeze(*connection, now), CloseReason::kSuperseded);
  env_.driver.refer(by.tuple, {by.tenure, by.owner, FlowId{}}, now);
}

// ---- in mid-life ----

Result<void> UnboundConnections::check(const MigrationRequest& request,
                                       const Connection* connection, bool moving) const {
  if (connection == nullptr) return fail(ErrorCode::kNotFound, "no such connection here");
  if (moving || connection->frozen()) return fail(ErrorCode::kBusy, "moving");
  if (request.expected_epoch && *request.expected_epoch != connection->epoch()) {
    return fail(ErrorCode::kRefused, "stale_epoch");
  }
  if (connection->application_done()) return fail(ErrorCode::kRefused, "application_done");
  if (request.terms.unbound && connection->application().empty()) {
    return fail(ErrorCode::kRefused, "already_unbound");
  }
  if (!request.terms.unbound && !connection->application().empty()) {
    return fail(ErrorCode::kRefused, "already_bound");
  }
  return {};
}

void UnboundConnections::rearrange(const MigrationRequest& request, bool moving) {
  Connection* const connection = env_.stack.find(request.connection);
  Result<void> done = check(request, connection, moving);
  if (done) {
    done = request.terms.unbound ? disassociate(*connection)
                                 : associate(*connection, request.terms.application);
  }
  MigrationFinished finished;
  finished.request = request.request;
  finished.tenure.connection = request.connection;
  if (connection != nullptr) finished.tenure.epoch = connection->epoch();
  finished.source = finished.target = env_.options.self;
  if (!done) {
    env_.count_refusal(done.error().text);
    finished.outcome = MigrationOutcome::kRefused;
    finished.reason = done.error().text;
  }
  env_.bus.post(std::move(finished));
}

Result<void> UnboundConnections::disassociate(Connection& connection) {
  ConnectionHandler* const handler = connection.handler();
  if (handler == nullptr) return fail(ErrorCode::kBusy, "app_busy");  // it has just ended
  if (const Blockers blockers = handler->blockers(); !blockers.empty()) {
    return fail(ErrorCode::kBusy, blockers.to_string());
  }
  ConnectionRecord& record = env_.records[connection.id()];
  const std::string application = connection.application();
  handler->on_frozen(connection);
  if (auto put = record.suspended.put(application, handler->capture_state()); !put) {
    handler->on_thawed(connection);
    return put;
  }
  record.kept = true;
  connection.bind("", nullptr);
  handler->on_closed(connection, CloseReason::kUnbound);
  env_.bus.post(ConnectionUnbound{connection.id(), application});
  return {};
}

Result<void> UnboundConnections::associate(Connection& connection, const std::string& name) {
  ConnectionRecord& record = env_.records[connection.id()];
  Result<void> bound = associate(connection, record, name);
  // Most connections have nothing that is worth remembering.
  if (record.empty()) env_.records.erase(connection.id());
  return bound;
}

Result<void> UnboundConnections::associate(Connection& connection, ConnectionRecord& record,
                                           const std::string& name) {
  if (name.empty() && record.suspended.empty()) {
    return fail(ErrorCode::kInvalidArgument, "no_application");
  }
  const std::string application =
      name.empty() ? record.suspended.entries().back().application : name;
  const Bytes* const state = record.suspended.find(application);
  Result<void> bound = applications_.attach(
      connection, application, state != nullptr ? ByteView(*state) : ByteView{}, state != nullptr);
  if (!bound) return bound;
  env_.bus.post(ConnectionBound{connection.id(), application, state != nullptr});
  record.kept = false;
  record.forwarded = 0;
  record.suspended.remove(application);
  return {};
}

}  // namespace migd
