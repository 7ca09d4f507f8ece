// A stack under test, or two that a connection moves between, with a scripted peer on the other
// side and virtual time. Whatever the stacks send goes to the peer at once and is kept for the
// test.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>

#include "stack/stack.h"
#include "tests/support/packets.h"
#include "tests/support/segment.h"
#include "tests/support/sim_rng.h"

namespace migd::test {

// What an application does; it notes what it hears.
class TestApp : public ConnectionHandler {
 public:
  void on_readable(Connection& connection) override;
  void on_writable(Connection&) override { ++writable_events; }
  void on_peer_closed(Connection&) override { ++peer_closed_events; }
  void on_closed(Connection&, CloseReason reason) override {
    closed = reason;
    ++closed_events;
  }

  bool reads = true;  // consumes what it gets
  Bytes received;
  int readable_events = 0, writable_events = 0, peer_closed_events = 0, closed_events = 0;
  std::optional<CloseReason> closed;
};

// One node: a stack and what surrounds it.
struct TestNode : FrameSink, AcceptHandler, ConnectionObserver {
  TestNode(std::uint16_t id, const StackOptions& options, Instant now);

  void on_frame(Frame frame, Instant at) override;
  void on_syn_answered(Connection& connection) override;
  void on_established(Connection& connection) override;
  void on_opened(Connection&) override { ++opened; }
  void on_gone(Connection&, CloseReason reason) override {
    ++gone;
    gone_reason = reason;
  }

  sim::SimRng rng;
  Metrics metrics;
  std::shared_ptr<FramePool> pool = FramePool::create();
  std::unique_ptr<Stack> stack;
  std::vector<SeenSegment> sent;  // since it was last cleared
  std::vector<Connection*> syn_answered, established;
  int opened = 0, gone = 0;
  std::optional<CloseReason> gone_reason;
};

StackOptions default_options();

// The snapshot as it arrives elsewhere; a test failure when the blob does not carry all of it.
TcpSnapshot travelled(const TcpSnapshot& snapshot, const Tenure& tenure);

// When the connection moves while a script runs.
enum class Moves { kNever, kEachStep, kThereAndBack };
std::string to_string(Moves moves);

class TestBed {
 public:
  explicit TestBed(Moves moves = Moves::kNever, PeerOptions peer_options = {},
                   StackOptions stack_options = default_options());

  // ---- the script ----
  void connect();                  // handshake; binds `app`
  void give(const Bytes& packet);  // from the peer to the owner
  void give(Bytes packet, Offload offload);
  std::size_t write(ByteView bytes);  // by the application
  void consume_all();
  void shutdown_write();
  void close();
  void abort();
  void run_for(Duration duration);  // timers fire, events are delivered
  void deliver();                   // events only
  // A move, when the script is run with moves; each of the above begins with one.
  void step();
  void move();  // now, from its owner to the other node

  // Segments since the last take().
  std::vector<SeenSegment> take();
  // The one segment since the last take(); a test failure, and an empty one, when there is not
  // exactly one.
  SeenSegment take_one();

  Stack& stack() { return *owner->stack; }
  Connection* find() { return stack().find(connection_tuple()); }
  FourTuple connection_tuple() const { return {peer.options.remote, peer.options.local}; }
  TcpState state();

  Instant now{Duration(1000s)};
  Peer peer;
  TestApp app;
  TestNode a, b;
  TestNode* owner = &a;
  std::deque<SeenSegment> wire;  // all that was sent, in order; take() empties it
  int moves_made = 0;

 private:
  void collect();

  Moves moves_;
};

// A fixture whose tests run unmigrated, with a move before every step, and with a move there and
// back before every step; with IPv4 and IPv6.
class MovingTest : public ::testing::TestWithParam<std::tuple<Moves, bool>> {
 protected:
  static bool v6() { return std::get<1>(GetParam()); }
  static bool moving() { return std::get<0>(GetParam()) != Moves::kNever; }
  static PeerOptions peer_options() { return v6() ? PeerOptions::v6() : PeerOptions{}; }
  static PeerOptions plain_options() {
    PeerOptions options = PeerOptions::plain();
    options.local = peer_options().local;
    options.remote = peer_options().remote;
    return options;
  }
  // Another peer, or another stack, than the default one.
  TestBed& rebuild(PeerOptions peer, StackOptions stack = default_options()) {
    return storage_.emplace(std::get<0>(GetParam()), std::move(peer), stack);
  }
  void SetUp() override { rebuild(peer_options()); }
  TestBed& bed() { return *storage_; }

 private:
  std::optional<TestBed> storage_;
};

#define MIGD_MOVING_SUITE(name)                                                                    \
  INSTANTIATE_TEST_SUITE_P(                                                                        \
      Moves, name,                                                                                 \
      ::testing::Combine(::testing::Values(Moves::kNever, Moves::kEachStep, Moves::kThereAndBack), \
                         ::testing::Bool()),                                                       \
      [](const auto& test) {                                                                       \
        return to_string(std::get<0>(test.param)) + (std::get<1>(test.param) ? "V6" : "V4");       \
      })

}  // namespace migd::test
