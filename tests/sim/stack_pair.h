// Two of the daemon's stacks between which one connection moves by hand: frozen, captured, written
// as a blob and read again, attached, thawed. No migrator, channel or forwarder: what goes wrong
// here is the stack's (or the blob's), and a move costs little, so every cut can be tried.
//
// The client's packets reach whoever owns the connection; while it moves they are held, and go in
// after the thaw, in order. The connection moves in every TCP state: before it is accepted without
// an application, which it gets where the handshake completes; with it; and without it again, once
// the application is done.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "stack/stack.h"
#include "tests/sim/check/checker.h"
#include "tests/sim/link.h"
#include "tests/sim/net.h"
#include "tests/support/sim_loop.h"
#include "tests/support/sim_rng.h"

namespace migd::sim {

struct StackPairOptions {
  std::uint64_t seed = 1;
  Endpoint vip;
  LinkCapabilities link;
  bool timestamps = true, sack = true;
  std::uint32_t window = 256u << 10, send_buffer = 256u << 10;
  Duration keepalive{};          // zero: off
  std::size_t source_bytes = 0;  // not zero: sends the ramp instead of what it receives
  bool speaks_first = false;     // closes its half first, when it has sent everything
  bool hangs_up = false;         // and does not want to receive any more either
  Duration reads_from{};         // world time from which it reads
};

class StackPair {
 public:
  StackPair(SimLoop& world, SimNet& net, Judge& judge, const StackPairOptions& options);
  ~StackPair();

  // Moves it to the other stack in `took`; false when it cannot move now.
  bool migrate(Duration took = 300us);
  bool migrate_and_give_up(Duration took = 300us);
  bool moving() const { return frozen_.has_value(); }
  bool over() const { return over_at_ != kNever; }
  Instant over_at() const { return over_at_; }  // when the tuple was free again; kNever: not yet
  int moves() const { return moves_; }
  const std::map<TcpState, int>& moves_in() const { return moves_in_; }
  const std::map<std::string, int>& refusals() const { return refusals_; }
  PortId port(int side) const;
  Connection* connection();  // null: there is none, or no longer

 private:
  class App;
  struct Side;

  void on_frame(Frame frame);
  void settle(Side& side);
  void stage(int side, Stage stage);
  bool freeze();
  void arrive(const TcpSnapshot& snapshot, Duration took);
  void thaw(FrozenConnection frozen);
  void finish(MigrationOutcome outcome);
  void replay();

  SimLoop& world_;
  Judge& judge_;
  StackPairOptions options_;
  SimRng rng_;
  std::shared_ptr<FramePool> pool_ = FramePool::create();
  std::unique_ptr<Side> sides_[2];
  int owner_ = 0;
  int moves_ = 0;
  std::map<TcpState, int> moves_in_;
  Instant over_at_ = kNever;
  Epoch epoch_{1};
  ConnectionId id_;
  bool opened_ = false;
  std::unique_ptr<App> app_;
  std::optional<FrozenConnection> frozen_;
  std::optional<FrozenConnection> attached_;
  std::unique_ptr<App> next_app_;
  std::vector<Frame> held_;
  std::map<std::string, int> refusals_;
};

}  // namespace migd::sim
