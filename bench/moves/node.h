// One stack with nothing around it, and the far end of its connections: a handshake, and
// acknowledgments, from packets made by hand. For measurements inside one process.
#pragma once

#include <memory>
#include <vector>

#include "stack/stack.h"
#include "tests/support/sim_rng.h"

namespace migd::bench {

// One connection's far end, as far as it is needed to open it and to take data.
struct FarEnd {
  Endpoint local, remote;  // its own; the stack's
  std::uint32_t send_next = 1000;
  std::uint32_t receive_next = 0;

  Bytes syn();
  Bytes ack() const;  // all that has come
};

class Node : private FrameSink, private AcceptHandler {
 public:
  Node(std::uint16_t id, const StackOptions& options, const Endpoint& vip, Instant now);

  Stack& stack() { return *stack_; }
  // A connection with `unacknowledged` bytes in flight, all of them sent.
  Connection& open(const Endpoint& client, std::uint32_t unacknowledged, Instant now);

 private:
  void on_frame(Frame frame, Instant now) override;
  void on_established(Connection& connection) override { opened_ = &connection; }
  void give(const Bytes& packet, Instant now);
  void write(Connection& connection, std::uint32_t bytes, Instant now);

  const Endpoint vip_;
  sim::SimRng rng_;
  Metrics metrics_;
  std::shared_ptr<FramePool> pool_ = FramePool::create();
  std::unique_ptr<Stack> stack_;
  Connection* opened_ = nullptr;
  FarEnd far_end_;
};

}  // namespace migd::bench
