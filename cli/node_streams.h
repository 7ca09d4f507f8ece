// The local streams of a node's applications: what comes from one of them is an input to the node
// like a packet, so the node's engines learn the time before the application acts on it, and send
// and arm their timers after it.
#pragma once

#include <functional>
#include <memory>

#include "base/stream_socket.h"

namespace migd {

class NodeStreams : public StreamNetwork {
 public:
  struct Turn {
    std::function<void()> begin, end;  // around everything that a socket says to its handler
  };
  // `system` is not owned, and outlives this and its sockets, as this outlives its sockets.
  NodeStreams(StreamNetwork& system, Turn turn) : system_(system), turn_(std::move(turn)) {}

  std::unique_ptr<StreamSocket> connect(const StreamAddress& to,
                                        StreamSocketHandler* handler) override;

 private:
  class Socket;

  StreamNetwork& system_;
  Turn turn_;
};

}  // namespace migd
