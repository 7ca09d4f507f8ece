// Streams of the kernel's TCP as fast as they go, all by one thread, as most clients have it.
#pragma once

#include <cstdint>
#include <string>

namespace migd::bench {

struct StreamOptions {
  std::string server;  // ADDRESS:PORT
  bool sends = false;  // else it receives
  std::uint32_t count = 1;
  double seconds = 0;
};

// Opens them, prints a line with the endpoints of its own, and begins when standard input has a
// line: whoever started it may prepare the path meanwhile. Then prints its result, one line of
// JSON: the bytes that were read, or acknowledged, and the seconds.
int stream(const StreamOptions& options);

// Gets one file by HTTP, on a connection that ends with it; prints the bytes and the seconds from
// the SYN on.
int download(const std::string& server, const std::string& path);

}  // namespace migd::bench
