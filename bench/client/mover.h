// What has a connection moved: migd's admin socket, or the opponent's datagram.
#pragma once

#include <array>
#include <memory>
#include <string>

namespace migd::bench {

class Mover {
 public:
  virtual ~Mover() = default;
  // Waits until the connection of the client's local port can be moved.
  virtual void find(const std::string& client_endpoint) = 0;
  // Moves it to the other node; returns when that is done. Empty, or why it did not happen.
  virtual std::string move() = 0;
};

// Two of NODE=ADMIN_SOCKET (migd), or two of ADDRESS:PORT (migd-bench-tcp-repair), the first of
// which has the connection.
std::unique_ptr<Mover> make_mover(const std::array<std::string, 2>& nodes);

}  // namespace migd::bench
