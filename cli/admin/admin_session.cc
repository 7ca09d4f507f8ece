#include "cli/admin/admin_session.h"

#include <utility>

#include "base/check.h"
#include "cli/admin/admin_json.h"
#include "cli/admin/http_response.h"

namespace migd {

AdminSession::AdminSession(std::unique_ptr<StreamSocket> socket, EventLoop& loop,
                           AdminRouter& router)
    : socket_(std::move(socket)), router_(router), loop_(loop) {
  timer_ = loop_.make_timer([this] { on_timer(); });
  timer_->start(loop_.now() + kRequestTimeout);
  socket_->set_handler(this);
}

void AdminSession::on_data(ByteView bytes) {
  if (state_ == State::kEvents || state_ == State::kClosing || state_ == State::kEnded) return;
  unread_ += as_text(bytes);
  parse();
  // One read of the socket is all that ever waits behind a request.
  if (state_ == State::kWaiting || state_ == State::kSending) socket_->pause_reading(true);
}

void AdminSession::parse() {
  if (std::exchange(parsing_, true)) return;  // an answer at once: the loop below goes on
  const auto self = shared_from_this();
  while (state_ == State::kReading && !unread_.empty() && socket_->pending_bytes() < kPendingMax) {
    const HttpParser::Progress progress = parser_.input(unread_);
    unread_.erase(0, progress.consumed);
    if (progress.verdict == HttpParser::Verdict::kMore) break;
    if (progress.verdict != HttpParser::Verdict::kComplete) {
      refuse(progress.verdict);
      break;
    }
    state_ = State::kWaiting;
    timer_->stop();
    keep_alive_ = parser_.keep_alive();
    router_.route(parser_.method(), parser_.target(), parser_.body(), *this);
  }
  parsing_ = false;
  if (state_ != State::kReading) return;
  socket_->pause_reading(!unread_.empty());
  if (peer_ended_ && unread_.empty()) close_after_sending();
}

void AdminSession::close_after_sending() {
  state_ = State::kClosing;
  timer_->start(loop_.now() + kSendTimeout);
  socket_->pause_reading(false);  // to hear of a client that has left
  socket_->shutdown_write();
}

void AdminSession::refuse(HttpParser::Verdict verdict) {
  keep_alive_ = false;
  state_ = State::kWaiting;
  const auto say = [this](int status, ErrorCode code, std::string_view text) {
    respond(status, "application/json", error_json(code, text));
  };
  switch (verdict) {
    case HttpParser::Verdict::kTargetTooLong:
      return say(414, ErrorCode::kTooLarge, "the request's target is too long");
    case HttpParser::Verdict::kHeaderTooLarge:
      return say(431, ErrorCode::kTooLarge, "the request's header is too large");
    case HttpParser::Verdict::kBodyTooLarge:
      return say(413, ErrorCode::kTooLarge, "the request's body is too large");
    case HttpParser::Verdict::kBad:
    case HttpParser::Verdict::kMore:
    case HttpParser::Verdict::kComplete:
      return say(400, ErrorCode::kInvalidArgument, "not an HTTP/1.1 request");
  }
}

void AdminSession::respond(int status, std::string_view content_type, std::string_view body,
                           std::string_view more_headers) {
  if (state_ == State::kEnded) return;  // the client has left meanwhile
  MIGD_CHECK(state_ == State::kWaiting);
  send(http_response(status, content_type, body, keep_alive_, more_headers));
  finish_response();
}

void AdminSession::respond_in_pieces(std::string_view content_type,
                                     std::function<bool(std::string&)> next) {
  if (state_ == State::kEnded) return;
  MIGD_CHECK(state_ == State::kWaiting);
  state_ = State::kSending;
  next_piece_ = std::move(next);
  send(http_chunked_head(200, content_type, keep_alive_));
}

void AdminSession::respond_with_events(std::string_view content_type) {
  if (state_ == State::kEnded) return;
  MIGD_CHECK(state_ == State::kWaiting);
  state_ = State::kEvents;
  send(http_chunked_head(200, content_type, false));
  timer_->stop();
  socket_->pause_reading(false);  // to hear when the client leaves
}

bool AdminSession::push(std::string_view line) {
  if (state_ != State::kEvents) return false;
  if (socket_->pending_bytes() + line.size() > kPendingMax) {
    ++dropped_;
    return false;
  }
  socket_->write(as_bytes(http_chunk(line)));
  return true;
}

std::uint64_t AdminSession::take_dropped() {
  if (dropped_ == 0 || socket_->pending_bytes() > kPendingMax / 2) return 0;
  return std::exchange(dropped_, 0);
}

void AdminSession::send(std::string_view bytes) {
  socket_->write(as_bytes(bytes));
  timer_->start(loop_.now() + kSendTimeout);
}

void AdminSession::send_more() {
  std::string piece;
  const bool more = next_piece_(piece);
  if (!piece.empty()) send(http_chunk(piece));
  if (more) return;
  next_piece_ = nullptr;
  send(http_last_chunk());
  state_ = State::kWaiting;
  finish_response();
}

void AdminSession::finish_response() {
  parser_.reset();
  if (!keep_alive_) {
    close_after_sending();
    return;
  }
  state_ = State::kReading;
  parse();
}

void AdminSession::on_drained() {
  const auto self = shared_from_this();
  if (state_ == State::kSending) {
    send_more();
  } else if (state_ == State::kReading) {
    timer_->start(loop_.now() + kRequestTimeout);
    parse();
  } else if (state_ == State::kClosing) {
    end();
  }
}

void AdminSession::on_timer() {
  if (state_ == State::kReading && parser_.begun() && socket_->pending_bytes() == 0) {
    keep_alive_ = false;
    state_ = State::kWaiting;
    respond(408, "application/json", error_json(ErrorCode::kDeadline, "the request took too long"));
  } else {
    end();
  }
}

void AdminSession::on_end() {
  peer_ended_ = true;
  // A client that has only shut down its writing half still gets its answers.
  if (state_ == State::kEvents) end();
  if (state_ == State::kReading && unread_.empty()) close_after_sending();
}

void AdminSession::on_closed(bool /*reset*/) {
  end();
}

void AdminSession::end() {
  if (state_ == State::kEnded) return;
  state_ = State::kEnded;
  timer_->stop();
  socket_->set_handler(nullptr);
  next_piece_ = nullptr;
  router_.on_session_ended(*this);
}

}  // namespace migd
