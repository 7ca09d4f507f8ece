#include "app/http/head_parser.h"

#include <llhttp.h>

#include <algorithm>

#include "app/http/text.h"
#include "base/check.h"

namespace migd {

struct HttpHeadParser::Callbacks {
  static HttpHeadParser& self(llhttp_t* parser) {
    return *static_cast<HttpHeadParser*>(parser->data);
  }
  static int on_target(llhttp_t* parser, const char*, std::size_t size) {
    self(parser).target_bytes_ += size;
    return self(parser).target_bytes_ > kHttpTargetMax ? HPE_USER : HPE_OK;
  }
  static int on_field_complete(llhttp_t* parser) {
    return ++self(parser).field_count_ > kHttpFieldsMax ? HPE_USER : HPE_OK;
  }
  static int on_headers_complete(llhttp_t* parser) {
    self(parser).headers_complete_ = true;
    return HPE_PAUSED;
  }
  static const llhttp_settings_t& settings() {
    static const llhttp_settings_t made = [] {
      llhttp_settings_t s;
      llhttp_settings_init(&s);
      s.on_url = on_target;
      s.on_header_field_complete = on_field_complete;
      s.on_headers_complete = on_headers_complete;
      return s;
    }();
    return made;
  }
};

HttpHeadParser::HttpHeadParser() : parser_(std::make_unique<llhttp__internal_s>()) {
  reset();
}
HttpHeadParser::~HttpHeadParser() = default;

void HttpHeadParser::reset() {
  llhttp_init(parser_.get(), HTTP_REQUEST, &Callbacks::settings());
  parser_->data = this;
  head_ = Bytes();
  target_bytes_ = field_count_ = 0;
  headers_complete_ = false;
}

HttpHeadParser::Verdict HttpHeadParser::feed(ByteView bytes) {
  bytes = bytes.first(std::min(bytes.size(), kHttpHeadMax - head_.size()));
  const char* data = as_text(bytes).data();
  const llhttp_errno_t error = llhttp_execute(parser_.get(), data, bytes.size());
  const std::size_t before = head_.size();
  append(head_, bytes);
  if (error == HPE_OK) {
    if (head_.size() < kHttpHeadMax) return Verdict::kIncomplete;
    return refuse(HttpStatus::kHeaderFieldsTooLarge);
  }
  const auto stop = static_cast<std::size_t>(llhttp_get_error_pos(parser_.get()) - data);
  if (error != HPE_PAUSED || !headers_complete_) {
    return refuse(status_of_error(error, before + stop));
  }
  head_.resize(before + stop);
  return complete();
}

HttpHeadParser::Verdict HttpHeadParser::refuse(HttpStatus status) {
  refusal_ = status;
  return Verdict::kRefused;
}

// Depends on the bytes up to `position` only, never on how they were cut.
HttpStatus HttpHeadParser::status_of_error(int error, std::size_t position) const {
  if (field_count_ > kHttpFieldsMax) return HttpStatus::kHeaderFieldsTooLarge;
  if (target_bytes_ > kHttpTargetMax) return HttpStatus::kUriTooLong;
  const std::string_view seen = as_text(head_);
  switch (error) {
    case HPE_PAUSED_H2_UPGRADE:
      return HttpStatus::kHttpVersionNotSupported;
    case HPE_INVALID_METHOD: {
      const std::size_t first = std::min(seen.find_first_not_of("\r\n"), position);
      return is_token(seen.substr(first, position + 1 - first)) ? HttpStatus::kNotImplemented
                                                                : HttpStatus::kBadRequest;
    }
    case HPE_INVALID_VERSION: {
      // "HTTP/3.7" is a version, of something else; anything else is no version.
      const bool digits = position >= 4 && is_digit(seen[position - 1]) &&
                          seen[position - 2] == '.' && is_digit(seen[position - 3]) &&
                          seen[position - 4] == '/';
      const bool ours = digits && seen[position - 3] == '1' && seen[position - 1] <= '1';
      return digits && !ours ? HttpStatus::kHttpVersionNotSupported : HttpStatus::kBadRequest;
    }
    default:
      return HttpStatus::kBadRequest;
  }
}

HttpHeadParser::Verdict HttpHeadParser::complete() {
  auto split = split_head(head_);
  if (!split) return refuse(split.error());
  request_ = std::move(*split);
  if (const auto refusal = read_framing()) return refuse(*refusal);
  request_.keep_alive = llhttp_should_keep_alive(parser_.get()) != 0;
  if (const auto expect = request_.field("Expect")) {
    if (!equal_without_case(*expect, "100-continue")) return refuse(HttpStatus::kExpectationFailed);
    request_.expects_continue = !request_.http_1_0;
  }
  return Verdict::kComplete;
}

std::optional<HttpStatus> HttpHeadParser::read_framing() {
  if ((parser_->flags & F_CONTENT_LENGTH) != 0) request_.content_length = parser_->content_length;
  const std::size_t encodings = request_.count("Transfer-Encoding");
  if (encodings == 0) return std::nullopt;
  if (request_.http_1_0 || encodings > 1) return HttpStatus::kBadRequest;
  const bool plain = equal_without_case(*request_.field("Transfer-Encoding"), "chunked");
  if (!plain || (parser_->flags & F_CHUNKED) == 0) return HttpStatus::kNotImplemented;
  request_.chunked = true;
  return std::nullopt;
}

}  // namespace migd
