#include "bench/client/batch.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench/client/admin.h"
#include "bench/support/system.h"

namespace migd::bench {
namespace {

constexpr std::uint32_t kSpareDescriptors = 32;
constexpr std::uint32_t kTries = 3;  // of a move that is refused, as a drain would

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

class Batch {
 public:
  Batch(const std::string& node, const std::string& admin_socket, std::string target,
        std::uint32_t in_flight)
      : target_(std::move(target)) {
    AdminConnection asking(admin_socket);
    for (OwnConnection& connection : connections_of(node, asking))
      waiting_.push_back({std::move(connection.id), kTries});
    for (std::uint32_t i = 0; i < in_flight; ++i) {
      admins_.push_back(std::make_unique<AdminConnection>(admin_socket));
      polled_.push_back({admins_.back()->fd(), POLLIN, 0});
      under_way_.push_back({});
    }
  }

  int run() {
    const Clock::time_point begin = Clock::now();
    for (std::size_t i = 0; i < admins_.size(); ++i)
      next(i);
    while (under_way_count_ > 0) {
      check(poll(polled_.data(), polled_.size(), -1), "poll");
      for (std::size_t i = 0; i < polled_.size(); ++i) {
        if (polled_[i].revents != 0 && admins_[i]->receive()) answered(i);
      }
    }
    const std::chrono::duration<double> taken = Clock::now() - begin;
    const nlohmann::ordered_json json{{"seconds", taken.count()},
                                      {"moved", moved_},
                                      {"refused", refused_},
                                      {"refusal", refusal_}};
    std::printf("%s\n", json.dump().c_str());
    return 0;
  }

 private:
  struct Move {
    std::string id;
    std::uint32_t tries = 0;  // left
  };

  void next(std::size_t i) {
    if (waiting_.empty()) return;
    under_way_[i] = std::move(waiting_.back());
    waiting_.pop_back();
    admins_[i]->send("POST", "/v1/migrate", migrate_body(under_way_[i].id, target_));
    ++under_way_count_;
  }

  void answered(std::size_t i) {
    const Answer answer = admins_[i]->take_answer();
    --under_way_count_;
    if (answer.status == 200) {
      ++moved_;
    } else {
      ++refused_;
      refusal_ = answer.body;
      if (--under_way_[i].tries > 0) waiting_.push_front(std::move(under_way_[i]));
    }
    next(i);
  }

  const std::string target_;
  std::deque<Move> waiting_;
  std::vector<std::unique_ptr<AdminConnection>> admins_;
  std::vector<pollfd> polled_;
  std::vector<Move> under_way_;  // by each of them
  std::uint32_t under_way_count_ = 0, moved_ = 0, refused_ = 0;
  std::string refusal_;  // the last
};

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

int move_all(const std::string& node, const std::string& admin_socket, const std::string& target,
             std::uint32_t in_flight) {
  return Batch(node, admin_socket, target, in_flight).run();
}

}  // namespace migd::bench
