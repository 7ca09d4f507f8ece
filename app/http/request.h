// The head of an HTTP/1.1 request (RFC 9112 section 3 and 5), read strictly: one reading only, so
// that nobody in front of us can have understood it otherwise.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "app/http/status.h"
#include "base/bytes.h"
#include "base/result.h"

namespace migd {

struct HttpField {
  std::string_view name, value;  // the value without the white space around it
};

struct HttpRequest {
  HttpRequest() = default;
  HttpRequest(HttpRequest&&) = default;  // the views stay valid: a vector keeps its buffer
  HttpRequest& operator=(HttpRequest&&) = default;

  Bytes text;  // what all views point into
  std::string_view method, target;
  bool http_1_0 = false;
  std::vector<HttpField> fields;

  // Framing of the body, of which the head says at most one.
  bool chunked = false;
  std::uint64_t content_length = 0;

  bool keep_alive = false;
  bool expects_continue = false;

  // The value of the first field of that name.
  std::optional<std::string_view> field(std::string_view name) const;
  std::size_t count(std::string_view name) const;
};

// Splits a complete head, empty line included, into request line and fields, and refuses what RFC
// 9112 lets servers refuse: bare CR or LF, folded fields, space before a colon, a missing or second
// Host. The framing and keep_alive are the caller's to fill in.
tl::expected<HttpRequest, HttpStatus> split_head(Bytes head);

}  // namespace migd
