// Train: gathers the datagrams for one receiver into as few calls of the sender as possible.
// Datagrams of equal size follow each other in one train; a shorter one ends it.
#pragma once

#include "base/datagram.h"

namespace migd::channel {

class Train {
 public:
  Train(DatagramSender& sender, std::size_t bytes_max) : sender_(sender), bytes_max_(bytes_max) {}

  void start(const Endpoint& to);
  // The next datagram is appended to the buffer, which holds earlier ones, and then ended.
  Bytes& buffer() { return buffer_; }
  void end_datagram();
  void flush();

 private:
  void send_first(std::size_t bytes);

  DatagramSender& sender_;
  const std::size_t bytes_max_;
  Endpoint to_;
  Bytes buffer_;
  std::size_t begin_ = 0;    // of the datagram that is being written
  std::size_t segment_ = 0;  // size of the ones before
};

}  // namespace migd::channel
