#include "app/relay/relay_session.h"

#include <algorithm>
#include <array>

#include "app/relay/proxy_header.h"

namespace migd {
namespace {

constexpr std::size_t kPendingMax = 64u << 10;  // written to the socket, not taken by the system

// A node is one thread, and nothing is kept in it between two calls.
std::array<std::uint8_t, kPendingMax> piece_buffer;

}  // namespace

RelaySession::RelaySession(StateTag tag, Connection& connection, RelayEnvironment& environment)
    : Session(tag, connection), environment_(environment) {
  if (environment.http_idle) observer_.emplace();
}

Blockers RelaySession::blockers() const {
  return movable() ? Blockers() : Blocker::kAppBusy;
}

bool RelaySession::movable() const {
  const bool whole = server_ != Server::kClosed && server_ != Server::kReset && !server_ended_ &&
                     !client_end_passed_;
  if (!whole || handed_bytes_ > 0 || !held_.empty()) return false;
  return !used_ || (observer_ && observer_->between_requests());
}

void RelaySession::advance() {
  if (!socket_) {
    socket_ = environment_.network.connect(environment_.address, this);
    return;
  }
  pass_to_server();
  pass_to_client();
  pass_ends();
}

// ---- from the client to the server ----

void RelaySession::pass_to_server() {
  if (server_ != Server::kOpen || client_end_passed_) return;
  consume_taken();
  while (socket_->pending_bytes() < kPendingMax) {
    const MutableBytes room =
        MutableBytes(piece_buffer).first(kPendingMax - socket_->pending_bytes());
    const ByteView piece = room.first(connection().peek(handed_bytes_, room));
    if (piece.empty()) break;
    if (observer_) observer_->on_request_bytes(piece);
    used_ = true;
    socket_->write(piece);
    handed_bytes_ += piece.size();
    consume_taken();
  }
  if (connection().peer_closed() && connection().readable() == handed_bytes_) {
    client_end_passed_ = true;
    socket_->shutdown_write();
  }
}

// The socket takes bytes in order, so what is pending is the tail of what it was handed.
void RelaySession::consume_taken() {
  const std::size_t taken = handed_bytes_ - std::min(handed_bytes_, socket_->pending_bytes());
  if (taken > 0) connection().consume(taken);
  handed_bytes_ -= taken;
}

// ---- from the server to the client ----

void RelaySession::on_data(ByteView bytes) {
  Entry entry(*this);
  used_ = true;
  if (observer_) observer_->on_response_bytes(bytes);
  if (open() && held_.empty()) bytes = bytes.subspan(connection().write(bytes));
  append(held_, bytes);
  update_reading();
}

void RelaySession::pass_to_client() {
  if (held_.empty()) return;
  const std::size_t written = connection().write(held_);
  held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(written));
  update_reading();
}

void RelaySession::update_reading() {
  if (!socket_ || server_ == Server::kClosed || server_ == Server::kReset) return;
  socket_->pause_reading(!open() || !held_.empty());
}

// ---- beginnings and ends ----

void RelaySession::on_connected() {
  Entry entry(*this);
  server_ = Server::kOpen;
  if (environment_.proxy_header) {
    socket_->write(proxy_header(connection().tuple(), connection().id()));
  }
  enter();
}

void RelaySession::on_end() {
  server_ended_ = true;
  enter();
}

void RelaySession::on_closed(bool reset) {
  Entry entry(*this);
  if (server_ == Server::kConnecting) report_failure();
  server_ = reset ? Server::kReset : Server::kClosed;
  enter();
}

void RelaySession::report_failure() {
  environment_.connect_failures.add();
  environment_.log.warn("relay_connect_failed", {{"application", environment_.application},
                                                 {"address", environment_.address.to_string()},
                                                 {"connection", connection().id().to_string()}});
}

void RelaySession::pass_ends() {
  if (!open()) return;
  const bool closed = server_ == Server::kClosed || server_ == Server::kReset;
  if (closed && !server_ended_) return abort_connection();
  if (!server_ended_ || !held_.empty()) return;
  if (closed || (client_end_passed_ && handed_bytes_ == 0)) {
    finish();
  } else if (!server_end_passed_) {
    server_end_passed_ = true;
    connection().shutdown_write();
  }
}

void RelaySession::ended(CloseReason reason) {
  if (!socket_) return;
  switch (reason) {
    case CloseReason::kFinished:
    case CloseReason::kMigrated:
    case CloseReason::kUnbound:
      break;
    case CloseReason::kPeerReset:
    case CloseReason::kLocalAbort:
    case CloseReason::kTimedOut:
    case CloseReason::kInternalError:
    case CloseReason::kSuperseded:
      socket_->reset();
      break;
  }
  socket_.reset();
}

}  // namespace migd
