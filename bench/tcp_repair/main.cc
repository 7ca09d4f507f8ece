// migd-bench-tcp-repair: what a user without migd can do at best. An echo server on the kernel's
// TCP, one process per node; the connection's socket is taken by TCP_REPAIR, its state shipped in
// one UDP datagram, the socket restored by the other process, and the client's route changed by
// netlink, without starting a program.
//
//   migd-bench-tcp-repair SERVER OWN PEER ROUTER_NETNS quiet|at-once [listen]
//
//   SERVER         the address:port of the connection, on both nodes' loopback
//   OWN, PEER      address:port of this process and of the other one; the client's route leads to
//                  OWN's address when this one has the connection
//   ROUTER_NETNS   the network namespace whose route that is, as a file
//   quiet          moves when the client waits for an answer, and has nothing under way: the best
//                  moment there is, which only the application can know
//   at-once        moves at the moment it is told to
//   listen         this process accepts the connection
//
// A datagram "m" has the connection moved; the answer "d" says that the other one has it. Nothing
// holds the packets that come meanwhile: the kernel has nothing for it. RST must be dropped on both
// nodes by whoever starts this.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string>

#include "bench/support/system.h"
#include "bench/tcp_repair/route.h"
#include "bench/tcp_repair/socket_state.h"

namespace migd::bench {
namespace {

constexpr std::size_t kDatagramMax = 65000;
constexpr char kMove = 'm', kState = 's', kTaken = 't', kDone = 'd';

class Server {
 public:
  Server(const sockaddr_in& address, const sockaddr_in& own, const sockaddr_in& peer,
         const std::string& router, bool quiet)
      : own_(own), peer_(peer), quiet_(quiet), route_(router, address.sin_addr) {
    control_ = check(socket(AF_INET, SOCK_DGRAM, 0), "socket");
    check(bind(control_, as_sockaddr(own), sizeof own), "bind");
  }

  void listen_on(const sockaddr_in& address) {
    const int on = 1;
    listener_ = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    check(bind(listener_, as_sockaddr(address), sizeof address), "bind");
    check(listen(listener_, 1), "listen");
    route_.lead_to(own_.sin_addr);
  }

  void run() {
    std::printf("ready\n");
    std::fflush(stdout);
    for (;;) {
      const bool serves = connection_ >= 0 && !taken_;
      std::array<pollfd, 2> polled{{{control_, POLLIN, 0}, {serves ? connection_ : -1, POLLIN, 0}}};
      if (connection_ < 0) polled[1].fd = listener_;
      check(poll(polled.data(), polled.size(), -1), "poll");
      if (polled[1].revents != 0) connection_ < 0 ? accept_one() : echo();
      if (polled[0].revents != 0) on_datagram();
    }
  }

 private:
  void accept_one() { connection_ = check(accept(listener_, nullptr, nullptr), "accept"); }

  void echo() {
    std::array<char, 4096> buffer;
    const int size = check(recv(connection_, buffer.data(), buffer.size(), 0), "recv");
    if (size == 0) {
      close(connection_);
      connection_ = -1;
      return;
    }
    const std::string message(buffer.data(), static_cast<std::size_t>(size));
    if (asked_by_) return hand_over(message);
    answer(message);
  }

  void answer(const std::string& message) {
    check(send(connection_, message.data(), message.size(), MSG_NOSIGNAL), "send");
  }

  void on_datagram() {
    sockaddr_in from{};
    socklen_t from_size = sizeof from;
    datagram_.resize(kDatagramMax);
    const int size = check(recvfrom(control_, datagram_.data(), datagram_.size(), 0,
                                    reinterpret_cast<sockaddr*>(&from), &from_size),
                           "recvfrom");
    datagram_.resize(static_cast<std::size_t>(size));
    if (datagram_.empty()) return;
    switch (datagram_[0]) {
      case kMove:
        asked_by_ = from;
        if (!quiet_) hand_over("");
        return;
      case kState:
        return take_over();
      case kTaken:
        return forget();
    }
  }

  // The source. The socket stays, blocked and in repair mode, until the other one has taken over.
  void hand_over(const std::string& unanswered) {
    block(connection_);
    SocketState state = take(connection_);
    taken_ = true;
    state.application = unanswered;
    tell(peer_, kState + to_bytes(state));
  }

  void take_over() {
    const SocketState state = from_bytes(datagram_.substr(1));
    connection_ = restore(state);
    route_.lead_to(own_.sin_addr);
    resume(connection_, state);
    if (!state.application.empty()) answer(state.application);
    tell(peer_, std::string(1, kTaken));
  }

  void forget() {
    close(connection_);  // silent, for it is in repair mode
    connection_ = -1;
    taken_ = false;
    if (asked_by_) tell(*asked_by_, std::string(1, kDone));
    asked_by_.reset();
  }

  void tell(const sockaddr_in& to, const std::string& message) {
    if (message.size() > kDatagramMax) die("the state does not fit a datagram");
    check(sendto(control_, message.data(), message.size(), 0, as_sockaddr(to), sizeof to),
          "sendto");
  }

  const sockaddr_in own_, peer_;
  const bool quiet_;
  Route route_;
  int control_ = -1, listener_ = -1, connection_ = -1;
  bool taken_ = false;  // the connection is no longer ours to serve
  std::optional<sockaddr_in> asked_by_;
  std::string datagram_;
};

}  // namespace
}  // namespace migd::bench

int main(int argc, char** argv) {
  using namespace migd::bench;
  const std::string moment = argc > 5 ? argv[5] : "";
  if (argc > 7 || (moment != "quiet" && moment != "at-once")) {
    die("expected SERVER OWN PEER ROUTER_NETNS quiet|at-once [listen]");
  }
  const sockaddr_in address = parse_endpoint(argv[1]);
  Server server(address, parse_endpoint(argv[2]), parse_endpoint(argv[3]), argv[4],
                moment == "quiet");
  if (argc == 7) server.listen_on(address);
  server.run();
}
