// Operating errors are values. Result<T> is what a function that can fail returns; Error carries a
// closed code, for programs and exit codes, and one line of text, for people. Programming errors
// are not values: see base/check.h.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace migd {

enum class ErrorCode {
  kInvalidArgument,  // the request makes no sense
  kNotFound,         // what it names does not exist
  kRefused,          // understood, possible in principle, declined; the text says why
  kUnavailable,      // a peer, device or service is not there now
  kBusy,             // something else is under way
  kTooLarge,         // over a limit of base/limits.h or of the configuration
  kDeadline,         // not done in time
  kPermission,       // a right is missing
  kIo,               // the operating system said no
  kProtocol,         // bytes from outside break a rule
};

std::string_view to_string(ErrorCode code);

struct Error {
  ErrorCode code;
  std::string text;
};

template <typename T>
using Result = tl::expected<T, Error>;

// return fail(ErrorCode::kNotFound, "no node is called 'h9'");
inline tl::unexpected<Error> fail(ErrorCode code, std::string text) {
  return tl::unexpected<Error>(Error{code, std::move(text)});
}

}  // namespace migd
