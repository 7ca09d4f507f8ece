// A cluster that the checkers are tested with: two nodes and one echoing connection that moves
// between them, made of the simulator's own TCP. Its moves are right by construction (there is only
// one TCP object, and it is paused while it moves), so every bug in it is a planted one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/check/checker.h"
#include "tests/sim/client.h"
#include "tests/sim/net.h"

namespace migd::sim {

struct ToyBugs {
  bool drop_first_held = false;    // an early packet is lost
  bool lose_out_of_order = false;  // data behind a hole does not travel
  bool two_owners = false;         // the source repeats a segment after GRANT
  bool talking_source = false;     // the source acknowledges while frozen
  bool grant_forgotten = false;    // the target goes on without a GRANT
  bool dead_after_abort = false;   // the source does not thaw
};

class ToyCluster {
 public:
  ToyCluster(SimLoop& world, SimNet& net, Judge& judge, const TcpConfig& client);

  void migrate();  // to the other node; takes 300 us
  void migrate_and_give_up();
  bool moving() const { return loop_.paused(); }
  PortId port(int node) const { return nodes_[node]; }
  int owner() const { return owner_; }
  int moves() const { return moves_; }
  Tcp& tcp() { return *tcp_; }
  const Endpoint& vip() const { return vip_; }

  ToyBugs bugs;

 private:
  void on_packet(Bytes packet);
  void take(const Bytes& packet);
  void echo();
  void stage(int node, Stage stage);
  void finish(MigrationOutcome outcome);
  void thaw();
  void speak_from(int node);

  SimLoop& world_;
  SimNet& net_;
  Judge& judge_;
  SimNodeLoop loop_;
  Endpoint vip_;
  PortId nodes_[2];
  int owner_ = 0;
  int moves_ = 0;
  Epoch epoch_{1};
  ConnectionId id_{NodeId{1}, Boot{7}, 1};
  std::unique_ptr<Tcp> tcp_;
  std::vector<Bytes> held_;
  Bytes last_sent_;
  std::size_t echoed_ = 0;
  bool opened_ = false;
  bool closed_ = false;
  bool dead_ = false;
};

}  // namespace migd::sim
