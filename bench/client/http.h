// A load of small HTTP requests on the kernel's TCP, all by one thread: so many connections at a
// time, and on each the next request as soon as the last was answered.
#pragma once

#include <cstdint>
#include <string>

namespace migd::bench {

struct HttpOptions {
  std::string server;  // ADDRESS:PORT
  std::string path;
  std::uint32_t connections = 1;
  double seconds = 0;
  bool anew = false;  // each request on a connection of its own, which the server ends
};

// Runs it and prints its result, one line of JSON. Any answer but a 200 of the same length as the
// first, and any connection that breaks, ends it as a failure.
int http(const HttpOptions& options);

}  // namespace migd::bench
