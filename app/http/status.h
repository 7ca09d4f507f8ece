// The HTTP status codes that we answer with (RFC 9110 section 15).
#pragma once

#include <cstdint>
#include <string_view>

namespace migd {

enum class HttpStatus : std::uint16_t {
  kOk = 200,
  kPartialContent = 206,
  kMovedPermanently = 301,
  kNotModified = 304,
  kBadRequest = 400,
  kForbidden = 403,
  kNotFound = 404,
  kMethodNotAllowed = 405,
  kPreconditionFailed = 412,
  kContentTooLarge = 413,
  kUriTooLong = 414,
  kRangeNotSatisfiable = 416,
  kExpectationFailed = 417,
  kHeaderFieldsTooLarge = 431,
  kInternalServerError = 500,
  kNotImplemented = 501,
  kHttpVersionNotSupported = 505,
};

std::string_view reason_phrase(HttpStatus status);

}  // namespace migd
