#include "app/http/http_session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "app/http/date.h"
#include "app/state.h"
#include "base/check.h"

namespace migd {
namespace {

// The rest of a request's body that is read for the sake of the next request.
constexpr std::uint64_t kDrainMax = 64u << 10;
constexpr std::size_t kOutputMax = 24u << 10;

// What is read before the peer is told of the room: it can send while we work.
constexpr std::size_t kTurnBytes = 128u << 10;

constexpr std::uint8_t kFlagKeepAlive = 1, kFlagHttp10 = 2;

void append_text(Bytes& to, std::string_view text) {
  append(to, as_bytes(text));
}

void append_field(Bytes& to, std::string_view name, std::string_view value) {
  append_text(to, name);
  append_text(to, ": ");
  append_text(to, value);
  append_text(to, "\r\n");
}

}  // namespace

void HttpSession::advance() {
  turn_left_ = kTurnBytes;
  while (open() && step()) {
  }
}

bool HttpSession::step() {
  if (!flush()) return false;
  switch (phase_) {
    case Phase::kHead:
      return read_head();
    case Phase::kBody:
      return read_body();
    case Phase::kResponse:
      return send_content() && end_response();
    case Phase::kDrain:
      return drain();
    case Phase::kLinger:
      return linger();
  }
  return false;
}

bool HttpSession::flush() {
  if (output_.empty()) return true;
  output_sent_ += connection().write(ByteView(output_).subspan(output_sent_));
  if (output_sent_ < output_.size()) return false;
  output_ = Bytes();
  output_sent_ = 0;
  return open();
}

// ---- requests ----

bool HttpSession::read_head() {
  switch (feed_head()) {
    case HttpHeadParser::Verdict::kIncomplete:
      if (!connection().peer_closed()) return false;
      connection().consume(connection().readable());
      finish();
      return false;
    case HttpHeadParser::Verdict::kRefused:
      refuse(parser_.refusal());
      parser_.reset();
      return true;
    case HttpHeadParser::Verdict::kComplete:
      break;
  }
  const HttpRequest request = parser_.take_request();
  connection().consume(parser_.fed());
  parser_.reset();
  begin_exchange(request);
  return true;
}

HttpHeadParser::Verdict HttpSession::feed_head() {
  std::array<std::uint8_t, 2048> piece;
  auto verdict = HttpHeadParser::Verdict::kIncomplete;
  while (verdict == HttpHeadParser::Verdict::kIncomplete) {
    const std::size_t size = connection().peek(parser_.fed(), piece);
    if (size == 0) break;
    verdict = parser_.feed(ByteView(piece).first(size));
  }
  return verdict;
}

void HttpSession::begin_exchange(const HttpRequest& request) {
  keep_alive_ = request.keep_alive;
  http_1_0_ = request.http_1_0;
  body_ = BodyDecoder(request);
  continue_awaited_ = request.expects_continue && !body_.complete();
  on_request(request);
  continue_awaited_ = false;
}

void HttpSession::receive_body() {
  phase_ = Phase::kBody;
  if (std::exchange(continue_awaited_, false))
    append_text(output_, "HTTP/1.1 100 Continue\r\n\r\n");
}

bool HttpSession::read_body() {
  if (body_.complete()) {
    on_body_complete();
    return true;
  }
  if (body_.malformed() || (connection().readable() == 0 && connection().peer_closed())) {
    refuse(HttpStatus::kBadRequest);
    return true;
  }
  return decode(true);
}

bool HttpSession::decode(bool deliver) {
  if (turn_left_ == 0) {
    connection().read_later();
    return false;
  }
  const ByteView front = connection().peek_front();
  const BodyDecoder::Piece piece = body_.next(front.first(std::min(front.size(), turn_left_)));
  if (piece.taken == 0) return false;
  turn_left_ -= piece.taken;
  if (deliver && !piece.content.empty()) on_body(piece.content);
  connection().consume(piece.taken);
  return true;
}

// ---- responses ----

void HttpSession::refuse(HttpStatus status) {
  keep_alive_ = false;
  body_ = BodyDecoder();
  respond_with_status(status);
}

void HttpSession::respond(HttpResponse response, bool head_only) {
  if (!body_.complete() && (continue_awaited_ || !body_.ends_within(kDrainMax))) {
    keep_alive_ = false;
  }
  append(output_, head_of(response));
  if (!head_only) append_text(output_, response.content);
  MIGD_CHECK(output_.size() <= kOutputMax);
  phase_ = Phase::kResponse;
  const auto code = std::to_string(static_cast<unsigned>(response.status));
  environment_.metrics
      .counter("migd_http_responses_total{application=\"" + environment_.application +
               "\",code=\"" + code + "\"}")
      .add();
}

void HttpSession::respond_with_status(HttpStatus status, std::string_view allowed_methods,
                                      bool head_only) {
  HttpResponse response;
  response.status = status;
  response.fields.emplace_back("Content-Type", "text/plain; charset=utf-8");
  if (!allowed_methods.empty()) response.fields.emplace_back("Allow", allowed_methods);
  response.content = std::string(reason_phrase(status)) + "\n";
  response.content_length = response.content.size();
  respond(std::move(response), head_only);
}

Bytes HttpSession::head_of(const HttpResponse& response) const {
  Bytes head;
  append_text(head, "HTTP/1.1 " + std::to_string(static_cast<unsigned>(response.status)) + " ");
  append_text(head, reason_phrase(response.status));
  append_text(head, "\r\n");
  if (environment_.unix_time)
    append_field(head, "Date", format_http_date(environment_.unix_time()));
  for (const auto& [name, value] : response.fields)
    append_field(head, name, value);
  if (response.status != HttpStatus::kNotModified) {
    append_field(head, "Content-Length", std::to_string(response.content_length));
  }
  if (!keep_alive_) {
    append_field(head, "Connection", "close");
  } else if (http_1_0_) {
    append_field(head, "Connection", "keep-alive");
  }
  append_text(head, "\r\n");
  return head;
}

bool HttpSession::end_response() {
  on_exchange_over();
  if (keep_alive_) {
    phase_ = body_.complete() ? Phase::kHead : Phase::kDrain;
  } else {
    connection().shutdown_write();
    phase_ = Phase::kLinger;
  }
  return open();
}

bool HttpSession::drain() {
  if (body_.complete()) {
    phase_ = Phase::kHead;
    return true;
  }
  if (decode(false)) return true;
  if (connection().peer_closed()) finish();
  return false;
}

bool HttpSession::linger() {
  connection().consume(connection().readable());
  if (connection().peer_closed()) finish();
  return false;
}

// ---- what travels ----
//
//   u8 phase | u8 flags: 1 keep alive, 2 HTTP/1.0 | u16 size, rest of the output | rest of the
//   request's body (app/http/body_decoder.h) | the exchange

void HttpSession::write_state(ByteWriter& out) const {
  out.u8(static_cast<std::uint8_t>(phase_));
  out.u8(static_cast<std::uint8_t>((keep_alive_ ? kFlagKeepAlive : 0) |
                                   (http_1_0_ ? kFlagHttp10 : 0)));
  write_string(out, as_text(output_).substr(output_sent_));
  body_.write_state(out);
  write_exchange(out);
}

Result<void> HttpSession::restore_http(BoundedReader& in) {
  const std::uint8_t phase = in.u8();
  const std::uint8_t flags = in.u8();
  if (phase > static_cast<std::uint8_t>(Phase::kLinger)) return bad_state("unknown phase");
  if ((flags & ~(kFlagKeepAlive | kFlagHttp10)) != 0) return bad_state("unknown flags");
  const Result<std::string> output = read_string(in, kOutputMax, "output");
  if (!output) return tl::unexpected(output.error());
  Result<BodyDecoder> body = BodyDecoder::restore(in);
  if (!body) return tl::unexpected(body.error());
  phase_ = static_cast<Phase>(phase);
  keep_alive_ = (flags & kFlagKeepAlive) != 0;
  http_1_0_ = (flags & kFlagHttp10) != 0;
  output_ = to_bytes(as_bytes(*output));
  body_ = *body;
  return {};
}

}  // namespace migd
