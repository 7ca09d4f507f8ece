#include "bench/client/http.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "bench/support/system.h"

namespace migd::bench {
namespace {

// The length of the whole answer, once its head is there; 0 before.
std::size_t length_of(std::string_view got) {
  constexpr std::string_view kLength = "\r\ncontent-length:";
  const std::size_t head = got.find("\r\n\r\n");
  if (head == std::string_view::npos) return 0;
  if (!got.starts_with("HTTP/1.1 200 ")) die("not a 200: " + std::string(got.substr(0, 60)));
  const auto same = [](char a, char b) { return (a | 0x20) == (b | 0x20); };
  const auto at = std::search(got.begin(), got.end(), kLength.begin(), kLength.end(), same);
  if (at == got.end()) die("an answer without a length");
  return head + 4 + std::strtoul(&*at + kLength.size(), nullptr, 10);
}

class Load {
 public:
  explicit Load(const HttpOptions& options)
      : options_(options),
        address_(parse_endpoint(options.server)),
        request_("GET " + options.path + " HTTP/1.1\r\nHost: b\r\n" +
                 (options.anew ? "Connection: close\r\n\r\n" : "\r\n")),
        epoll_(check(epoll_create1(0), "epoll_create1")),
        slots_(options.connections) {
    latencies_us_.reserve(1u << 20);
  }

  void run() {
    const Clock::time_point begin = Clock::now();
    const Clock::time_point end = begin + std::chrono::duration_cast<Clock::duration>(
                                              std::chrono::duration<double>(options_.seconds));
    for (Slot& slot : slots_)
      open(slot);
    while (Clock::now() < end) {
      epoll_event events[64];
      const int count = check(epoll_wait(epoll_, events, 64, kPatienceMs), "epoll_wait");
      if (count == 0) die("no answer for 5 s");
      for (int i = 0; i < count; ++i)
        serve(*static_cast<Slot*>(events[i].data.ptr), events[i].events);
    }
    seconds_ = std::chrono::duration<double>(Clock::now() - begin).count();
  }

  void report() {
    std::sort(latencies_us_.begin(), latencies_us_.end());
    const std::size_t count = latencies_us_.size();
    if (count == 0) die("nothing was answered");
    const nlohmann::ordered_json json{{"requests", count},
                                      {"seconds", seconds_},
                                      {"per_second", static_cast<double>(count) / seconds_},
                                      {"p50_us", latencies_us_[count / 2]},
                                      {"p99_us", latencies_us_[count * 99 / 100]}};
    std::printf("%s\n", json.dump().c_str());
  }

 private:
  struct Slot {
    int fd = -1;
    bool connected = false;
    std::size_t received = 0;
    Clock::time_point began;
    char buffer[4096];
  };

  void open(Slot& slot) {
    const int on = 1;
    slot.fd = check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");
    slot.connected = false;
    slot.began = Clock::now();
    setsockopt(slot.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(slot.fd, as_sockaddr(address_), sizeof address_) != 0 && errno != EINPROGRESS) {
      die(std::string("connect: ") + std::strerror(errno));
    }
    watch(slot, EPOLL_CTL_ADD, EPOLLOUT);
  }

  void watch(Slot& slot, int operation, std::uint32_t events) {
    epoll_event event{events, {&slot}};
    check(epoll_ctl(epoll_, operation, slot.fd, &event), "epoll_ctl");
  }

  void serve(Slot& slot, std::uint32_t events) {
    if (!slot.connected) {
      if ((events & EPOLLERR) != 0) die("a connection was refused");
      slot.connected = true;
      watch(slot, EPOLL_CTL_MOD, EPOLLIN);
      return ask(slot);
    }
    const int size = check(
        recv(slot.fd, slot.buffer + slot.received, sizeof slot.buffer - slot.received, 0), "recv");
    slot.received += static_cast<std::size_t>(size);
    if (size == 0) return ended(slot);
    if (length_ == 0) length_ = length_of({slot.buffer, slot.received});
    if (!options_.anew && length_ != 0 && slot.received >= length_) answered(slot);
  }

  void ask(Slot& slot) {
    slot.received = 0;
    if (!options_.anew) slot.began = Clock::now();
    const int sent = check(send(slot.fd, request_.data(), request_.size(), MSG_NOSIGNAL), "send");
    if (static_cast<std::size_t>(sent) != request_.size()) die("a short send");
  }

  void answered(Slot& slot) {
    const std::string_view got(slot.buffer, slot.received);
    if (got.size() != length_ || !got.starts_with("HTTP/1.1 200 ")) die("not the first's answer");
    latencies_us_.push_back(
        std::chrono::duration<double, std::micro>(Clock::now() - slot.began).count());
    if (!options_.anew) ask(slot);
  }

  void ended(Slot& slot) {
    if (!options_.anew) die("the server has closed a connection");
    answered(slot);
    close(slot.fd);
    open(slot);
  }

  const HttpOptions& options_;
  const sockaddr_in address_;
  const std::string request_;
  const int epoll_;
  std::vector<Slot> slots_;
  std::size_t length_ = 0;  // of every answer
  std::vector<double> latencies_us_;
  double seconds_ = 0;
};

}  // namespace

int http(const HttpOptions& options) {
  Load load(options);
  load.run();
  load.report();
  return 0;
}

}  // namespace migd::bench
