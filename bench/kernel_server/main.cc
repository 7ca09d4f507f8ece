// migd-bench-kernel-server: the opponent of migd's built-in servers, on the kernel's TCP in the
// same place: echo at port 7, discard at 9, source at 19. One thread, as a node is one.
//
//   migd-bench-kernel-server ADDRESS
//
// Prints "ready". It moves 128 KiB a call, as iperf3 does, and keeps nothing of a connection but
// its socket: what an echo cannot send at once ends it (a ping-pong has never that much under way).
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "bench/support/system.h"

namespace migd::bench {
namespace {

constexpr int kEcho = 7, kDiscard = 9, kSource = 19;
constexpr std::size_t kChunk = 128u << 10;

// What epoll gives back: the descriptor and the port that it belongs to.
std::uint64_t tag(int fd, int port, bool listens) {
  return std::uint64_t(std::uint32_t(fd)) << 32 | std::uint64_t(listens) << 31 | unsigned(port);
}

class Server {
 public:
  void listen_on(const std::string& address, int port) {
    const int on = 1;
    const sockaddr_in own = parse_endpoint(address + ":" + std::to_string(port));
    const int fd = check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // inherited by what it accepts
    check(bind(fd, as_sockaddr(own), sizeof own), "bind");
    check(listen(fd, SOMAXCONN), "listen");
    watch(fd, EPOLLIN, tag(fd, port, true));
  }

  void run() {
    std::printf("ready\n");
    std::fflush(stdout);
    for (;;) {
      epoll_event events[64];
      const int count = check(epoll_wait(epoll_, events, 64, -1), "epoll_wait");
      for (int i = 0; i < count; ++i) {
        const std::uint64_t which = events[i].data.u64;
        const int fd = static_cast<int>(which >> 32), port = static_cast<int>(which & 0xffff);
        if ((which & 1u << 31) != 0) {
          accept_from(fd, port);
        } else if (!serve(fd, port)) {
          close(fd);
        }
      }
    }
  }

 private:
  void watch(int fd, std::uint32_t wanted, std::uint64_t data) {
    epoll_event event{};
    event.events = wanted;
    event.data.u64 = data;
    check(epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
  }

  void accept_from(int listener, int port) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
    if (fd >= 0) watch(fd, port == kSource ? EPOLLOUT : EPOLLIN, tag(fd, port, false));
  }

  // Whether the connection goes on.
  bool serve(int fd, int port) {
    if (port == kSource) return moved(send(fd, buffer_.data(), buffer_.size(), MSG_NOSIGNAL));
    const ssize_t size = recv(fd, buffer_.data(), buffer_.size(), 0);
    if (port == kDiscard || size <= 0) return moved(size);
    return send(fd, buffer_.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL) == size;
  }

  static bool moved(ssize_t size) { return size > 0 || (size < 0 && errno == EAGAIN); }

  const int epoll_ = check(epoll_create1(0), "epoll_create1");
  std::vector<char> buffer_ = std::vector<char>(kChunk);
};

}  // namespace
}  // namespace migd::bench

int main(int argc, char** argv) {
  if (argc != 2) migd::bench::die("expected an address");
  migd::bench::Server server;
  for (const int port : {migd::bench::kEcho, migd::bench::kDiscard, migd::bench::kSource})
    server.listen_on(argv[1], port);
  server.run();
}
