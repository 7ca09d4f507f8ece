#include "migrator/shim.h"

#include <utility>

#include "base/limits.h"

namespace migd {

Blockers Shim::blockers(const Connection& connection) const {
  Blockers found;
  if (connection.frozen()) found |= Blocker::kMoving;
  // Every TCP state travels. An application that is done with the connection has no say any more.
  const ConnectionHandler* const handler = connection.handler();
  if (handler == nullptr || connection.application_done()) return found;
  found |= handler->blockers();
  if (handler->capture_state().size() > limits::kApplicationStateMax) {
    found |= Blocker::kBlobTooLarge;
  }
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

Result<ConnectionBlob> Shim::compile(const FrozenConnection& frozen, const Handover& handover,
                                     const ConnectionRecord& record, Tenure next, NodeId source,
                                     Instant now) const {
  const Connection& connection = frozen.connection();
  const std::string& current = connection.application();
  const bool done = connection.application_done();
  ConnectionBlob blob;
  blob.tenure = next;
  blob.source = source;
  blob.service = connection.service();
  blob.suspended = record.suspended;
  blob.tcp = stack_.capture(frozen, now);
  if (!handover.unbound) {
    blob.application = handover.application.empty() ? current : handover.application;
  }
  if (current.empty() && !done) {
    const bool kept = record.kept && blob.application.empty();
    const auto times = static_cast<std::uint8_t>(record.forwarded + 1);
    blob.forwarded = Forwarded{connection.reference(), times, kept};
  } else if (handover.unbound) {
    blob.forwarded = Forwarded{connection.reference(), 1, true};
  }
  if (done) return blob;

  Bytes state;
  if (connection.handler() != nullptr && !current.empty() && !handover.state) {
    state = connection.handler()->capture_state();
  }
  if (handover.state) {
    blob.application_state = *handover.state;
  } else if (blob.application == current) {
    blob.application_state = std::move(state);
  } else {
    if (const Bytes* earlier = blob.suspended.find(blob.application)) {
      blob.application_state = *earlier;
      blob.suspended.remove(blob.application);
    }
    if (!current.empty()) {
      if (auto put = blob.suspended.put(current, std::move(state)); !put) {
        return tl::unexpected(put.error());
      }
    }
  }
  return blob;
}

std::string Shim::objection(const std::string& application, bool kept,
                            const Endpoint& local) const {
  if (!application.empty()) {
    if (applications_.knows(application)) return "";
    return "application '" + application + "' is not registered";
  }
  return kept || stack_.acceptor(local) != nullptr ? "" : "no_classifier";
}

Result<FrozenConnection> Shim::infuse(const ConnectionBlob& blob, Duration held, Instant now) {
  const bool done = application_done(blob.tcp);
  const bool kept = blob.forwarded && blob.forwarded->kept;
  if (!done) {
    std::string reason = objection(blob.application, kept, blob.tcp.tuple.local);
    if (!reason.empty()) return fail(ErrorCode::kRefused, std::move(reason));
  }
  Result<FrozenConnection> frozen = stack_.attach(blob.tcp, blob.tenure, blob.service, held, now);
  if (!frozen) return frozen;
  if (done) {
    // Its application is done with it, and stays where it was; the name is kept for who asks.
    frozen->connection().bind(blob.application, nullptr);
    return frozen;
  }
  // Nobody has it until the handshake is complete, or until somebody is found.
  if (blob.application.empty() || blob.tcp.state == TcpState::kSynReceived) return frozen;
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

}  // namespace migd
