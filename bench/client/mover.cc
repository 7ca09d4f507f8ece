#include "bench/client/mover.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "bench/client/admin.h"
#include "bench/support/system.h"

namespace migd::bench {
namespace {

class AdminMover : public Mover {
 public:
  explicit AdminMover(const std::array<std::string, 2>& nodes) {
    for (std::size_t i = 0; i < 2; ++i) {
      const std::size_t equals = nodes[i].find('=');
      names_[i] = nodes[i].substr(0, equals);
      admins_[i] = std::make_unique<AdminConnection>(nodes[i].substr(equals + 1));
    }
  }

  void find(const std::string& client_endpoint) override {
    const auto give_up = Clock::now() + std::chrono::milliseconds(kPatienceMs);
    while (Clock::now() < give_up) {
      for (std::size_t i = 0; i < 2; ++i) {
        for (const OwnConnection& c : connections_of(names_[i], *admins_[i])) {
          if (c.peer != client_endpoint) continue;
          id_ = c.id;
          owner_ = i;
          return;
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    die("no node has the connection of " + client_endpoint);
  }

  std::string move() override {
    const Answer answer =
        admins_[owner_]->ask("POST", "/v1/migrate", migrate_body(id_, names_[1 - owner_]));
    if (answer.status != 200) return answer.body;
    owner_ = 1 - owner_;
    return "";
  }

 private:
  std::array<std::string, 2> names_;
  std::array<std::unique_ptr<AdminConnection>, 2> admins_;
  std::string id_;
  std::size_t owner_ = 0;
};

class DatagramMover : public Mover {
 public:
  explicit DatagramMover(const std::array<std::string, 2>& nodes) {
    for (std::size_t i = 0; i < 2; ++i) {
      const sockaddr_in to = parse_endpoint(nodes[i]);
      sockets_[i] = check(socket(AF_INET, SOCK_DGRAM, 0), "socket");
      check(connect(sockets_[i], as_sockaddr(to), sizeof to), "connect");
    }
  }
  ~DatagramMover() override {
    for (const int fd : sockets_)
      close(fd);
  }

  void find(const std::string&) override {}

  std::string move() override {
    char answer = 0;
    check(send(sockets_[owner_], "m", 1, 0), "send");
    pollfd waiting{sockets_[owner_], POLLIN, 0};
    if (check(poll(&waiting, 1, kPatienceMs), "poll") == 0) die("the opponent does not answer");
    check(recv(sockets_[owner_], &answer, 1, 0), "recv");
    owner_ = 1 - owner_;
    return "";
  }

 private:
  std::array<int, 2> sockets_;
  std::size_t owner_ = 0;
};

}  // namespace

std::unique_ptr<Mover> make_mover(const std::array<std::string, 2>& nodes) {
  if (nodes[0].find('=') != std::string::npos) return std::make_unique<AdminMover>(nodes);
  return std::make_unique<DatagramMover>(nodes);
}

}  // namespace migd::bench
