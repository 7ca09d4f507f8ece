#include "bench/client/stream.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "bench/support/system.h"

namespace migd::bench {
namespace {

constexpr std::size_t kChunk = 128u << 10;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

int connect_to(const std::string& server) {
  const sockaddr_in address = parse_endpoint(server);
  const int fd = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
  check(connect(fd, as_sockaddr(address), sizeof address), "connect");
  return fd;
}

void wait_for_line() {
  for (char byte = 0; byte != '\n' && read(STDIN_FILENO, &byte, 1) > 0;) {
  }
}

std::uint64_t acknowledged(int fd) {
  // tcpi_bytes_acked, which the C library's header does not have yet.
  constexpr std::size_t kOffset = 120;
  unsigned char info[256] = {};
  socklen_t size = sizeof info;
  check(getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size), "TCP_INFO");
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, info + kOffset, sizeof bytes);
  return bytes;
}

// What one call has moved; 0 when nothing can be moved now.
std::uint64_t step(int fd, bool sends, std::vector<char>& buffer) {
  const ssize_t size = sends ? send(fd, buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                             : recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size < 0 && errno == EAGAIN) return 0;
  if (check(size, sends ? "send" : "recv") == 0) die("the stream has ended");
  return static_cast<std::uint64_t>(size);
}

void report(std::uint64_t bytes, double seconds) {
  std::printf("%s\n", nlohmann::json{{"bytes", bytes}, {"seconds", seconds}}.dump().c_str());
}

}  // namespace

int stream(const StreamOptions& options) {
  std::vector<pollfd> streams;
  for (std::uint32_t i = 0; i < options.count; ++i) {
    const short wanted = options.sends ? POLLOUT : POLLIN;
    streams.push_back({connect_to(options.server), wanted, 0});
    std::printf("%s%s", i == 0 ? "" : " ", own_endpoint(streams.back().fd).c_str());
  }
  std::printf("\n");
  std::fflush(stdout);
  wait_for_line();

  std::vector<char> buffer(kChunk);
  std::uint64_t received = 0;
  const Clock::time_point begin = Clock::now();
  while (seconds_since(begin) < options.seconds) {
    if (check(poll(streams.data(), streams.size(), kPatienceMs), "poll") == 0) {
      die("nothing has moved for 10 s");
    }
    for (const pollfd& one : streams) {
      if (one.revents != 0) received += step(one.fd, options.sends, buffer);
    }
  }
  const double seconds = seconds_since(begin);
  std::uint64_t sent = 0;
  for (const pollfd& one : streams)
    sent += acknowledged(one.fd);
  report(options.sends ? sent : received, seconds);
  return 0;
}

int download(const std::string& server, const std::string& path) {
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n";
  std::vector<char> buffer(kChunk);
  const Clock::time_point begin = Clock::now();
  const int fd = connect_to(server);
  check(send(fd, request.data(), request.size(), MSG_NOSIGNAL), "send");
  std::uint64_t bytes = 0;
  while (const int size = check(recv(fd, buffer.data(), buffer.size(), 0), "recv")) {
    if (bytes == 0 && std::string(buffer.data(), 13) != "HTTP/1.1 200 ") die("not a file");
    bytes += static_cast<std::uint64_t>(size);
  }
  report(bytes, seconds_since(begin));
  return 0;
}

}  // namespace migd::bench
