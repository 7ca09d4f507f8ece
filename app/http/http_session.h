// HttpSession: a connection that speaks HTTP/1.1 (RFC 9112), for the applications that answer
// requests themselves.
//
//            +--------------------------------------------+
//            v                                            |
//         kHead --- on_request() ---> kBody ---> kResponse --> kDrain (rest of the request's body)
//                     |                              ^   |
//                     +------------------------------+   +---> kLinger ---> closed
//
// One request at a time; those behind it wait, unread, in the connection. A head is consumed once
// it is complete, a body as it is decoded. What is to be sent is composed in `output_` and leaves
// as the connection takes it. So at any moment the state is: the phase, the rest of `output_`, the
// rest of the request's body, and what the application knows (write_exchange()).
//
// Ending: after a response with "Connection: close" the session sends FIN and reads on, forgetting
// what it reads, until the client closes: closing with data unread would be a RST that may overtake
// the response. A client that does not close is ended by the stack's time-outs.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/http/body_decoder.h"
#include "app/http/head_parser.h"
#include "app/http/request.h"
#include "app/http/status.h"
#include "app/session.h"
#include "base/metrics.h"

namespace migd {

// What the HTTP sessions of one application share.
struct HttpEnvironment {
  std::string application;
  Metrics& metrics;
  std::function<std::int64_t()> unix_time;  // may be empty: no Date field
};

struct HttpResponse {
  HttpStatus status = HttpStatus::kOk;
  std::vector<std::pair<std::string_view, std::string>> fields;
  std::uint64_t content_length = 0;  // of what follows, or would follow a GET
  std::string content;               // the content as far as it is text at hand
};

class HttpSession : public Session {
 public:
  HttpSession(StateTag tag, Connection& connection, HttpEnvironment& environment)
      : Session(tag, connection), environment_(environment) {}

  // Reads what write_state() wrote, but for the exchange.
  Result<void> restore_http(BoundedReader& in);

 protected:
  // Answers with exactly one of respond(), respond_with_status() and receive_body().
  virtual void on_request(const HttpRequest& request) = 0;
  virtual void on_body(ByteView /*piece*/) {}
  // Answers with respond() or respond_with_status().
  virtual void on_body_complete() {}
  // Writes of the response's body what the connection takes; true once all of it is written. May
  // abort the connection.
  virtual bool send_content() { return true; }
  // The request is over, answered or not.
  virtual void on_exchange_over() {}
  virtual void write_exchange(ByteWriter& out) const = 0;

  void respond(HttpResponse response, bool head_only = false);
  // A short text about it.
  void respond_with_status(HttpStatus status, std::string_view allowed_methods = {},
                           bool head_only = false);
  void receive_body();

 private:
  enum class Phase : std::uint8_t { kHead, kBody, kResponse, kDrain, kLinger };

  void advance() final;
  void write_state(ByteWriter& out) const final;

  // Each does one thing and returns true when there may be another to do now.
  bool step();
  bool flush();
  bool read_head();
  bool read_body();
  bool end_response();
  bool drain();
  bool linger();

  HttpHeadParser::Verdict feed_head();
  void begin_exchange(const HttpRequest& request);
  void refuse(HttpStatus status);
  // Decodes a piece of the request's body, if there is one to decode.
  bool decode(bool deliver);
  Bytes head_of(const HttpResponse& response) const;

  HttpEnvironment& environment_;
  HttpHeadParser parser_;
  Phase phase_ = Phase::kHead;
  bool keep_alive_ = true;
  bool http_1_0_ = false;
  bool continue_awaited_ = false;  // only while on_request() runs
  Bytes output_;
  std::size_t output_sent_ = 0;
  std::size_t turn_left_ = 0;  // of a body, that this advance() may read yet
  BodyDecoder body_;
};

}  // namespace migd
