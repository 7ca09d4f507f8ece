#include "migrator/shim.h"

#include <utility>

namespace migd {

Blockers Shim::blockers(const Connection& connection) const {
  Blockers found = 0;
  if (connection.frozen()) found |= static_cast<Blockers>(Blocker::kMoving);
  // Every TCP state travels. An application that is done with the connection has no say any more.
  const ConnectionHandler* const handler = connection.handler();
  if (handler != nullptr && !connection.application_done()) found |= handler->blockers();
  return found;
}

FrozenConnection Shim::freeze(Connection& connection, Instant now) {
  FrozenConnection frozen = stack_.freeze(connection, now);
  if (ConnectionHandler* handler = connection.handler()) handler->on_frozen(connection);
  return frozen;
}

void Shim::thaw(FrozenConnection frozen, Instant now) {
  Connection& connection = frozen.connection();
  stack_.thaw(std::move(frozen), now);
  if (ConnectionHandler* handler = connection.handler()) handler->on_thawed(connection);
}

void Shim::activate(FrozenConnection frozen, Instant now) {
  thaw(std::move(frozen), now);
}

void Shim::release(FrozenConnection frozen) {
  stack_.release(std::move(frozen), CloseReason::kMigrated);
}

ConnectionBlob Shim::compile(const FrozenConnection& frozen, const Handover& handover, Tenure next,
                             NodeId source, Instant now) const {
  const Connection& connection = frozen.connection();
  ConnectionBlob blob;
  blob.tenure = next;
  blob.source = source;
  blob.service = connection.service();
  blob.application = handover.application.empty() ? connection.application() : handover.application;
  if (handover.state) {
    blob.application_state = *handover.state;
  } else if (connection.handler() != nullptr && !connection.application_done() &&
             blob.application == connection.application()) {
    blob.application_state = connection.handler()->capture_state();
  }
  blob.tcp = stack_.capture(frozen, now);
  return blob;
}

std::string Shim::objection(const std::string& application) const {
  if (application.empty() || applications_.knows(application)) return "";
  return "application '" + application + "' is not registered";
}

Result<FrozenConnection> Shim::infuse(const ConnectionBlob& blob, Duration held, Instant now) {
  if (application_done(blob.tcp)) return infuse_without_application(blob, held, now);
  if (std::string reason = objection(blob.application); !reason.empty()) {
    return fail(ErrorCode::kRefused, std::move(reason));
  }
  Result<FrozenConnection> frozen = stack_.attach(blob.tcp, blob.tenure, blob.service, held, now);
  if (!frozen || blob.application.empty()) return frozen;
  // A connection that was never bound brings no state: its application begins at the first byte.
  const bool restored = !blob.application_state.empty();
  const Result<void> bound = applications_.attach(frozen->connection(), blob.application,
                                                  blob.application_state, restored);
  if (!bound) {
    release(std::move(*frozen));
    return tl::unexpected(bound.error());
  }
  return frozen;
}

// Its application is done with it, and stays where it was; the name is kept for who asks.
Result<FrozenConnection> Shim::infuse_without_application(const ConnectionBlob& blob, Duration held,
                                                          Instant now) {
  Result<FrozenConnection> frozen = stack_.attach(blob.tcp, blob.tenure, blob.service, held, now);
  if (frozen) frozen->connection().bind(blob.application, nullptr);
  return frozen;
}

}  // namespace migd
