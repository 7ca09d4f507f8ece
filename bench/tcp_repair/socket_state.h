// One TCP connection of the kernel as bytes, by TCP_REPAIR, as CRIU's libsoccr does it: sequence
// numbers, queues, window, options and timestamp.
#pragma once

#include <linux/tcp.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bench/support/system.h"

namespace migd::bench {

struct SocketState {
  sockaddr_in local{}, peer{};
  std::uint32_t send_seq = 0;     // behind the last byte of the send queue
  std::uint32_t receive_seq = 0;  // behind the last byte of the receive queue
  std::uint32_t timestamp = 0;
  std::uint32_t options = 0;  // TCPI_OPT_*
  std::uint32_t mss = 0;
  std::uint32_t send_scale = 0, receive_scale = 0;
  tcp_repair_window window{};
  std::uint32_t unsent = 0;  // how many bytes of `to_send`, the last, were never sent
  std::string to_send, unread;
  std::string application;  // what the application has read and not answered yet
};

// No packet reaches the connection any more, and none is answered: a filter that drops all.
void block(int fd);

// Its state; the socket stays in repair mode, and close() is silent.
SocketState take(int fd);

// A socket with that state, still in repair mode: it sends nothing and answers nothing.
int restore(const SocketState& state);

// Out of repair mode, without the window probe that would need an answer; sends what was unsent.
void resume(int fd, const SocketState& state);

std::string to_bytes(const SocketState& state);
SocketState from_bytes(const std::string& bytes);

}  // namespace migd::bench
