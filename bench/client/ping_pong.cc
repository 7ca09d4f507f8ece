#include "bench/client/ping_pong.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "bench/support/system.h"

namespace migd::bench {
namespace {

constexpr std::size_t kMessage = 64;
constexpr double kStallUs = 20e3;
// A retransmission time-out is 200 ms at least, here and in Linux; the round trip says it a little
// later than the timer does.
constexpr double kTimeOutUs = 190e3;
constexpr timeval kPatience{20, 0};  // for one answer

struct Span {
  Clock::time_point begin, end;
  double microseconds() const {
    return std::chrono::duration<double, std::micro>(end - begin).count();
  }
};

class Client {
 public:
  explicit Client(const std::string& server) {
    const sockaddr_in address = parse_endpoint(server);
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
    check(connect(fd_, as_sockaddr(address), sizeof address), "connect");
    round();  // the server has it now
    rounds_.clear();
    rounds_.reserve(1u << 22);
  }
  ~Client() { close(fd_); }

  void round() {
    const Clock::time_point begin = Clock::now();
    ++message_[0];
    if (check(send(fd_, message_.data(), kMessage, MSG_NOSIGNAL), "send") != kMessage) {
      die("a short send");
    }
    std::array<std::uint64_t, kMessage / 8> echo{};
    if (check(recv(fd_, echo.data(), kMessage, MSG_WAITALL), "recv") != kMessage) {
      die("the server has closed the connection");
    }
    rounds_.push_back({begin, Clock::now()});
    if (echo != message_) die("other bytes came back than were sent");
    completed_.store(completed_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  const std::vector<Span>& rounds() const { return rounds_; }

  // Called by another thread: until a round trip has begun and ended.
  void wait_for_whole_round() const {
    const std::uint64_t until = completed_.load(std::memory_order_acquire) + 2;
    while (completed_.load(std::memory_order_acquire) < until)
      std::this_thread::sleep_for(std::chrono::microseconds(100));
  }

  std::string endpoint() const { return own_endpoint(fd_); }

  std::uint32_t retransmissions() const {
    tcp_info info{};
    socklen_t size = sizeof info;
    check(getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &size), "TCP_INFO");
    return info.tcpi_total_retrans;
  }

 private:
  const int fd_ = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
  std::array<std::uint64_t, kMessage / 8> message_{};  // the first word counts
  std::vector<Span> rounds_;
  std::atomic<std::uint64_t> completed_ = 0;
};

struct Moves {
  std::vector<Span> made;
  std::uint32_t refused = 0;
  std::string refusal;  // the last
};

void keep_moving(const PingPongOptions& options, const Client& client, Mover& mover, Moves& moves) {
  pin(options.mover_processor);
  mover.find(client.endpoint());
  std::minstd_rand random(1);
  std::uniform_int_distribution<std::uint32_t> pause(options.pause_us / 2,
                                                     options.pause_us * 3 / 2);
  for (std::uint32_t i = 0; i < options.moves; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(pause(random)));
    const Clock::time_point begin = Clock::now();
    const std::string refusal = mover.move();
    if (refusal.empty()) {
      moves.made.push_back({begin, Clock::now()});
    } else {
      ++moves.refused;
      moves.refusal = refusal;
    }
    client.wait_for_whole_round();
  }
}

// Rounds and moves are both in the order of time.
std::vector<double> longest_within(const std::vector<Span>& rounds,
                                   const std::vector<Span>& moves) {
  std::vector<double> longest;
  auto first = rounds.begin();
  for (const Span& move : moves) {
    while (first != rounds.end() && first->end < move.begin)
      ++first;
    double found = 0;
    for (auto round = first; round != rounds.end() && round->begin < move.end; ++round)
      found = std::max(found, round->microseconds());
    longest.push_back(found);
  }
  return longest;
}

template <typename Values>
long over(const Values& values, double limit) {
  return std::count_if(values.begin(), values.end(), [&](double value) { return value > limit; });
}

double quantile(const std::vector<double>& sorted, double q) {
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(q * double(sorted.size())))];
}

void report(const Client& client, const Moves& moves) {
  std::vector<double> trips;
  for (const Span& round : client.rounds())
    trips.push_back(round.microseconds());
  std::sort(trips.begin(), trips.end());
  const Span all{client.rounds().front().begin, client.rounds().back().end};
  const std::vector<double> longest = longest_within(client.rounds(), moves.made);
  const nlohmann::ordered_json json{{"seconds", all.microseconds() / 1e6},
                                    {"rounds", trips.size()},
                                    {"rtt_p50_us", quantile(trips, 0.5)},
                                    {"rtt_p99_us", quantile(trips, 0.99)},
                                    {"rtt_max_us", trips.back()},
                                    {"stalls", over(trips, kStallUs)},
                                    {"time_outs", over(trips, kTimeOutUs)},
                                    {"client_retransmissions", client.retransmissions()},
                                    {"moves", moves.made.size()},
                                    {"refused", moves.refused},
                                    {"refusal", moves.refusal},
                                    {"longest_us", longest}};
  std::printf("%s\n", json.dump().c_str());
}

}  // namespace

int ping_pong(const PingPongOptions& options, Mover* mover) {
  pin(options.client_processor);
  Client client(options.server);
  Moves moves;
  std::atomic<bool> moving = mover != nullptr;
  std::thread thread;
  if (mover != nullptr) {
    thread = std::thread([&] {
      keep_moving(options, client, *mover, moves);
      moving = false;
    });
  }
  const auto until = Clock::now() + std::chrono::duration<double>(options.least_seconds);
  while (moving || Clock::now() < until)
    client.round();
  for (int i = 0; i < 100; ++i)
    client.round();  // the last move has its last round trip
  if (thread.joinable()) thread.join();
  report(client, moves);
  return 0;
}

}  // namespace migd::bench
