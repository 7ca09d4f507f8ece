// The little that the bench programs share: they end with one line of text when the system says no.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace migd::bench {

using Clock = std::chrono::steady_clock;

// How long a peer may leave a program waiting before it gives up.
inline constexpr int kPatienceMs = 10'000;

[[noreturn]] inline void die(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, what.c_str());
  std::exit(1);
}

// A system call's result; ends the program when it is an error.
inline int check(long result, const char* what) {
  if (result < 0) die(std::string(what) + ": " + std::strerror(errno));
  return static_cast<int>(result);
}

// The calling thread runs on this processor only; a negative number: on any.
inline void pin(int processor) {
  if (processor < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(processor), &set);
  check(sched_setaffinity(0, sizeof set, &set), "sched_setaffinity");
}

// "10.77.100.1:7"
inline sockaddr_in parse_endpoint(const std::string& text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos ||
      inet_pton(AF_INET, text.substr(0, colon).c_str(), &address.sin_addr) != 1) {
    die("'" + text + "' is not ADDRESS:PORT");
  }
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(text.c_str() + colon + 1)));
  return address;
}

inline const sockaddr* as_sockaddr(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

// Of a connected socket, as "10.77.99.2:4711".
inline std::string own_endpoint(int fd) {
  sockaddr_in own{};
  socklen_t size = sizeof own;
  check(getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size), "getsockname");
  char text[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &own.sin_addr, text, sizeof text);
  return std::string(text) + ":" + std::to_string(ntohs(own.sin_port));
}

}  // namespace migd::bench
