#include "cli/admin/http_message.h"

#include <llhttp.h>

namespace migd {

struct HttpParser::Engine {
  llhttp_t parser;
  llhttp_settings_t settings;

  Engine(HttpParser& owner, Kind kind) {
    llhttp_settings_init(&settings);
    settings.on_message_begin = [](llhttp_t* p) {
      of(p).begun_ = true;
      return 0;
    };
    settings.on_url = [](llhttp_t* p, const char* at, std::size_t n) {
      return of(p).add_target({at, n});
    };
    settings.on_method = [](llhttp_t* p, const char* at, std::size_t n) {
      of(p).method_.append(at, n);  // llhttp knows the longest
      return 0;
    };
    settings.on_header_field = settings.on_header_value =
        [](llhttp_t* p, const char*, std::size_t n) { return of(p).add_header_bytes(n); };
    settings.on_headers_complete = [](llhttp_t* p) {
      of(p).status_ = p->status_code;
      of(p).head_complete_ = true;
      return 0;
    };
    settings.on_body = [](llhttp_t* p, const char* at, std::size_t n) {
      return of(p).add_body({at, n});
    };
    settings.on_message_complete = [](llhttp_t* p) -> int {
      of(p).complete_ = true;
      of(p).keep_alive_ = llhttp_should_keep_alive(p) != 0;
      return HPE_PAUSED;  // so that what follows is left for the next message
    };
    llhttp_init(&parser, kind == Kind::kRequest ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
    parser.data = &owner;
  }

  static HttpParser& of(llhttp_t* p) { return *static_cast<HttpParser*>(p->data); }
};

HttpParser::HttpParser(Kind kind, HttpLimits limits)
    : engine_(std::make_unique<Engine>(*this, kind)), kind_(kind), limits_(limits) {}

HttpParser::~HttpParser() = default;

int HttpParser::refuse(Verdict why) {
  refusal_ = why;
  return HPE_USER;
}

int HttpParser::add_target(std::string_view bytes) {
  if (target_.size() + bytes.size() > limits_.target_bytes_max) {
    return refuse(Verdict::kTargetTooLong);
  }
  target_ += bytes;
  return 0;
}

int HttpParser::add_header_bytes(std::size_t n) {
  header_bytes_ += n;
  return header_bytes_ > limits_.header_bytes_max ? refuse(Verdict::kHeaderTooLarge) : 0;
}

int HttpParser::add_body(std::string_view bytes) {
  if (on_body) {
    on_body(bytes);
    return 0;
  }
  if (body_.size() + bytes.size() > limits_.body_bytes_max) return refuse(Verdict::kBodyTooLarge);
  body_ += bytes;
  return 0;
}

HttpParser::Progress HttpParser::input(std::string_view bytes) {
  const llhttp_errno_t error = llhttp_execute(&engine_->parser, bytes.data(), bytes.size());
  if (error == HPE_OK) {
    // Empty headers, chunk sizes and the like are seen by nobody but llhttp.
    unseen_bytes_ = head_complete_ ? 0 : unseen_bytes_ + bytes.size();
    const bool endless = unseen_bytes_ > 4 * limits_.header_bytes_max;
    return {endless ? Verdict::kHeaderTooLarge : Verdict::kMore, bytes.size()};
  }
  if (error == HPE_PAUSED && complete_) {
    const char* const stop = llhttp_get_error_pos(&engine_->parser);
    return {Verdict::kComplete, static_cast<std::size_t>(stop - bytes.data())};
  }
  return {refusal_ == Verdict::kMore ? Verdict::kBad : refusal_, bytes.size()};
}

bool HttpParser::finish() {
  if (!complete_) llhttp_finish(&engine_->parser);
  return complete_;
}

void HttpParser::reset() {
  engine_ = std::make_unique<Engine>(*this, kind_);
  refusal_ = Verdict::kMore;
  header_bytes_ = unseen_bytes_ = 0;
  method_.clear();
  target_.clear();
  status_ = 0;
  begun_ = head_complete_ = complete_ = keep_alive_ = false;
  body_.clear();
}

}  // namespace migd
