// HttpHeadParser: finds and reads the head of a request in bytes that arrive in any pieces.
//
// Two readers must agree. llhttp goes along byte by byte, finds the end of the head, and is the
// judge of framing (Content-Length against Transfer-Encoding, RFC 9112 section 6); split_head()
// then reads the complete head strictly. The parser consumes nothing: until a head is complete its
// bytes remain unread data of the connection, and travel as such.
#pragma once

#include <cstddef>
#include <memory>

#include "app/http/request.h"

struct llhttp__internal_s;

namespace migd {

inline constexpr std::size_t kHttpHeadMax = 16u << 10;
inline constexpr std::size_t kHttpTargetMax = 8u << 10;
inline constexpr std::size_t kHttpFieldsMax = 100;

class HttpHeadParser {
 public:
  HttpHeadParser();
  ~HttpHeadParser();
  HttpHeadParser(HttpHeadParser&&) = delete;

  enum class Verdict { kIncomplete, kComplete, kRefused };
  // Takes the bytes behind those of the calls before, as far as they belong to the head.
  Verdict feed(ByteView bytes);

  std::size_t fed() const { return head_.size(); }            // bytes taken so far
  HttpStatus refusal() const { return refusal_; }             // after kRefused
  HttpRequest take_request() { return std::move(request_); }  // after kComplete

  void reset();  // for the next request

 private:
  struct Callbacks;
  Verdict refuse(HttpStatus status);
  HttpStatus status_of_error(int error, std::size_t position) const;
  Verdict complete();
  std::optional<HttpStatus> read_framing();

  std::unique_ptr<llhttp__internal_s> parser_;
  Bytes head_;
  std::size_t target_bytes_ = 0;
  std::size_t field_count_ = 0;
  bool headers_complete_ = false;
  HttpStatus refusal_ = HttpStatus::kBadRequest;
  HttpRequest request_;
};

}  // namespace migd
