// The commands' side of the admin socket: one blocking request on a connection of its own.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace migd {

struct AdminResponse {
  int status = 0;
  std::string body;
};

class AdminClient {
 public:
  explicit AdminClient(std::string socket_path) : socket_path_(std::move(socket_path)) {}

  // kUnavailable: the daemon cannot be reached; kDeadline: no answer in time; kProtocol.
  Result<AdminResponse> request(std::string_view method, std::string_view path,
                                std::string_view body, Duration timeout) const;

  // A body without end, line by line, until on_line returns false or the daemon ends it
  // (kUnavailable). An answer other than 200 is kProtocol.
  Result<void> lines(std::string_view path,
                     const std::function<bool(std::string_view)>& on_line) const;

 private:
  const std::string socket_path_;
};

}  // namespace migd
