// migd-bench-client: the clients of scripts/bench.
//
//   migd-bench-client ping-pong SERVER CLIENT_CPU MOVER_CPU SECONDS [MOVES PAUSE_US NODE NODE]
//   migd-bench-client idle SERVER COUNT
//   migd-bench-client stream SERVER send|receive COUNT SECONDS
//   migd-bench-client download SERVER PATH
//   migd-bench-client http SERVER PATH CONNECTIONS SECONDS keep|new
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/client/http.h"
#include "bench/client/idle.h"
#include "bench/client/ping_pong.h"
#include "bench/client/stream.h"
#include "bench/support/system.h"

namespace {

using Arguments = std::vector<std::string>;

std::uint32_t number(const std::string& text) {
  return static_cast<std::uint32_t>(std::strtoul(text.c_str(), nullptr, 10));
}

int ping_pong(const Arguments& a) {
  migd::bench::PingPongOptions options;
  options.server = a[1];
  options.client_processor = std::atoi(a[2].c_str());
  options.mover_processor = std::atoi(a[3].c_str());
  options.least_seconds = std::atof(a[4].c_str());
  if (a.size() == 5) return migd::bench::ping_pong(options, nullptr);
  options.moves = number(a[5]);
  options.pause_us = number(a[6]);
  return migd::bench::ping_pong(options, migd::bench::make_mover({a[7], a[8]}).get());
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments a(argv + 1, argv + argc);
  const std::string mode = a.empty() ? "" : a[0];
  if (mode == "ping-pong" && (a.size() == 5 || a.size() == 9)) return ping_pong(a);
  if (mode == "idle" && a.size() == 3) return migd::bench::hold_idle(a[1], number(a[2]));
  if (mode == "stream" && a.size() == 5) {
    return migd::bench::stream({a[1], a[2] == "send", number(a[3]), std::atof(a[4].c_str())});
  }
  if (mode == "download" && a.size() == 3) return migd::bench::download(a[1], a[2]);
  if (mode == "http" && a.size() == 6) {
    return migd::bench::http({a[1], a[2], number(a[3]), std::atof(a[4].c_str()), a[5] == "new"});
  }
  migd::bench::die("expected a mode with its arguments; they stand on top of its source");
}
