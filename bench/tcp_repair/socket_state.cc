#include "bench/tcp_repair/socket_state.h"

#include <linux/filter.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <tuple>
#include <utility>

namespace migd::bench {
namespace {

// Option kinds of RFC 9293 3.2, RFC 7323 and RFC 2018.
constexpr std::uint32_t kMss = 2, kWindowScale = 3, kSackPermitted = 4, kTimestamps = 8;

template <typename T>
void set(int fd, int option, const T& value, const char* what) {
  check(setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value), what);
}

template <typename T>
T get(int fd, int option, const char* what) {
  T value{};
  socklen_t size = sizeof value;
  check(getsockopt(fd, IPPROTO_TCP, option, &value, &size), what);
  return value;
}

std::uint32_t queued(int fd, unsigned long request, const char* what) {
  int bytes = 0;
  check(ioctl(fd, request, &bytes), what);
  return static_cast<std::uint32_t>(bytes);
}

void choose_queue(int fd, int queue) {
  set(fd, TCP_REPAIR_QUEUE, queue, "TCP_REPAIR_QUEUE");
}

std::string peek_queue(int fd, std::uint32_t bytes) {
  std::string data(bytes, '\0');
  if (bytes > 0 && check(recv(fd, data.data(), bytes, MSG_PEEK | MSG_DONTWAIT), "peek") !=
                       static_cast<int>(bytes)) {
    die("a queue gives less than it holds");
  }
  return data;
}

void push(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    bytes.remove_prefix(static_cast<std::size_t>(
        check(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), "send to a queue")));
  }
}

void restore_options(int fd, const SocketState& state) {
  std::vector<tcp_repair_opt> options{{kMss, state.mss}};
  if ((state.options & TCPI_OPT_WSCALE) != 0) {
    options.push_back({kWindowScale, state.send_scale | state.receive_scale << 16});
  }
  if ((state.options & TCPI_OPT_SACK) != 0) options.push_back({kSackPermitted, 0});
  if ((state.options & TCPI_OPT_TIMESTAMPS) != 0) options.push_back({kTimestamps, 0});
  check(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, options.data(),
                   static_cast<socklen_t>(options.size() * sizeof options[0])),
        "TCP_REPAIR_OPTIONS");
  if ((state.options & TCPI_OPT_TIMESTAMPS) != 0) {
    set(fd, TCP_TIMESTAMP, state.timestamp, "TCP_TIMESTAMP");
  }
}

// Both nodes run the same program on the same machine: the bytes are those in memory.
template <typename State>
auto plain_fields(State& s) {
  return std::tie(s.local, s.peer, s.send_seq, s.receive_seq, s.timestamp, s.options, s.mss,
                  s.send_scale, s.receive_scale, s.window, s.unsent);
}
template <typename State>
auto text_fields(State& s) {
  return std::tie(s.to_send, s.unread, s.application);
}

}  // namespace

void block(int fd) {
  sock_filter drop_all = {BPF_RET | BPF_K, 0, 0, 0};
  const sock_fprog program{1, &drop_all};
  check(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), "SO_ATTACH_FILTER");
}

SocketState take(int fd) {
  SocketState state;
  set(fd, TCP_REPAIR, int{TCP_REPAIR_ON}, "TCP_REPAIR");
  socklen_t size = sizeof state.local;
  check(getsockname(fd, reinterpret_cast<sockaddr*>(&state.local), &size), "getsockname");
  check(getpeername(fd, reinterpret_cast<sockaddr*>(&state.peer), &size), "getpeername");
  const auto info = get<tcp_info>(fd, TCP_INFO, "TCP_INFO");
  state.options = info.tcpi_options;
  state.send_scale = info.tcpi_snd_wscale;
  state.receive_scale = info.tcpi_rcv_wscale;
  state.mss = get<std::uint32_t>(fd, TCP_MAXSEG, "TCP_MAXSEG");
  state.timestamp = get<std::uint32_t>(fd, TCP_TIMESTAMP, "TCP_TIMESTAMP");
  state.window = get<tcp_repair_window>(fd, TCP_REPAIR_WINDOW, "TCP_REPAIR_WINDOW");
  const std::uint32_t to_send = queued(fd, SIOCOUTQ, "SIOCOUTQ");
  const std::uint32_t unread = queued(fd, SIOCINQ, "SIOCINQ");
  state.unsent = queued(fd, SIOCOUTQNSD, "SIOCOUTQNSD");
  choose_queue(fd, TCP_SEND_QUEUE);
  state.send_seq = get<std::uint32_t>(fd, TCP_QUEUE_SEQ, "TCP_QUEUE_SEQ");
  state.to_send = peek_queue(fd, to_send);
  choose_queue(fd, TCP_RECV_QUEUE);
  state.receive_seq = get<std::uint32_t>(fd, TCP_QUEUE_SEQ, "TCP_QUEUE_SEQ");
  state.unread = peek_queue(fd, unread);
  return state;
}

int restore(const SocketState& state) {
  const int fd = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
  set(fd, TCP_REPAIR, int{TCP_REPAIR_ON}, "TCP_REPAIR");
  set(fd, TCP_NODELAY, 1, "TCP_NODELAY");
  choose_queue(fd, TCP_SEND_QUEUE);
  set(fd, TCP_QUEUE_SEQ, state.send_seq - static_cast<std::uint32_t>(state.to_send.size()),
      "TCP_QUEUE_SEQ");
  choose_queue(fd, TCP_RECV_QUEUE);
  set(fd, TCP_QUEUE_SEQ, state.receive_seq - static_cast<std::uint32_t>(state.unread.size()),
      "TCP_QUEUE_SEQ");
  check(bind(fd, as_sockaddr(state.local), sizeof state.local), "bind");
  check(connect(fd, as_sockaddr(state.peer), sizeof state.peer), "connect");
  restore_options(fd, state);
  push(fd, state.unread);  // into the receive queue, which is chosen yet
  choose_queue(fd, TCP_SEND_QUEUE);
  push(fd, std::string_view(state.to_send).substr(0, state.to_send.size() - state.unsent));
  set(fd, TCP_REPAIR_WINDOW, state.window, "TCP_REPAIR_WINDOW");
  return fd;
}

void resume(int fd, const SocketState& state) {
  set(fd, TCP_REPAIR, int{TCP_REPAIR_OFF_NO_WP}, "TCP_REPAIR");
  push(fd, std::string_view(state.to_send).substr(state.to_send.size() - state.unsent));
}

std::string to_bytes(const SocketState& state) {
  std::string bytes;
  const auto put = [&bytes](const void* data, std::size_t size) {
    bytes.append(static_cast<const char*>(data), size);
  };
  std::apply([&](const auto&... field) { (put(&field, sizeof field), ...); }, plain_fields(state));
  const auto put_text = [&](const std::string& text) {
    const std::size_t size = text.size();
    put(&size, sizeof size);
    put(text.data(), size);
  };
  std::apply([&](const auto&... text) { (put_text(text), ...); }, text_fields(state));
  return bytes;
}

SocketState from_bytes(const std::string& bytes) {
  SocketState state;
  std::size_t at = 0;
  const auto next = [&](std::size_t size) {
    if (size > bytes.size() - at) die("a state that is cut short");
    return bytes.data() + std::exchange(at, at + size);
  };
  std::apply([&](auto&... field) { (std::memcpy(&field, next(sizeof field), sizeof field), ...); },
             plain_fields(state));
  const auto take_text = [&](std::string& text) {
    std::size_t size = 0;
    std::memcpy(&size, next(sizeof size), sizeof size);
    text.assign(next(size), size);
  };
  std::apply([&](auto&... text) { (take_text(text), ...); }, text_fields(state));
  return state;
}

}  // namespace migd::bench
