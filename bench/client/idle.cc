#include "bench/client/idle.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench/support/system.h"

namespace migd::bench {
namespace {

constexpr std::uint32_t kSpareDescriptors = 32;

void allow_descriptors(std::uint32_t count) {
  rlimit limit{};
  check(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
  limit.rlim_cur = std::max<rlim_t>(limit.rlim_cur, count + kSpareDescriptors);
  limit.rlim_max = std::max(limit.rlim_max, limit.rlim_cur);
  check(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit RLIMIT_NOFILE");
}

bool echoes(int fd) {
  const timeval patience{5, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  char byte = 'x';
  return send(fd, &byte, 1, MSG_NOSIGNAL) == 1 && recv(fd, &byte, 1, 0) == 1 && byte == 'x';
}

}  // namespace

int hold_idle(const std::string& server, std::uint32_t count) {
  allow_descriptors(count);
  const sockaddr_in address = parse_endpoint(server);
  std::vector<int> sockets;
  for (std::uint32_t i = 0; i < count; ++i) {
    sockets.push_back(check(socket(AF_INET, SOCK_STREAM, 0), "socket"));
    check(connect(sockets.back(), as_sockaddr(address), sizeof address), "connect");
  }
  std::printf("ready\n");
  std::fflush(stdout);
  for (char byte = 0; read(STDIN_FILENO, &byte, 1) > 0;) {
  }
  const auto alive = std::count_if(sockets.begin(), sockets.end(), echoes);
  std::printf("%s\n", nlohmann::json{{"alive", alive}}.dump().c_str());
  return 0;
}

}  // namespace migd::bench
