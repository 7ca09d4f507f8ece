// Invariants 4 and 8: a connection lives as long as the node that holds its state, whatever becomes
// of all the others. Who holds it follows from the nodes' stage messages, and from the GRANTs that
// arrive:
//
//   held by the owner ----GRANT leaves---- by both ----GRANT arrives---- by the target
//
// A GRANT that died with its sender leaves nobody: the sender was bound by it, the target never got
// it. So does a GRANT to a target that gave its word and has died since: the sender cannot know. A
// client that waits in vain for a connection that lives is a violation.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "tests/sim/check/checker.h"

namespace migd::sim {

class Survival : public Checker {
 public:
  enum class Fate { kNotOpened, kAlive, kDied, kEnded };

  Survival() : Checker("survival") {}
  void add_node(NodeId id, PortId port) { ports_[id] = port; }

  void on_message(PortId node, Instant at, const Message& message) override;
  void on_arrival(PortId node, Instant at, wire::Kind kind, ByteView head) override;
  void on_crash(PortId node, Instant at) override;

  Fate fate(const Endpoint& client) const;  // of the latest connection of that tuple
  // The client still waits, and nothing that it waits for is under way.
  void on_stuck(const Endpoint& client, Instant at, const std::string& progress);

 private:
  struct Life {
    FourTuple tuple;
    PortId holder = 0;
    NodeId asked;                  // the target of the request that is under way
    std::optional<PortId> target;  // GRANT has left for it
    Epoch granted;
    bool grant_arrived = false;
    bool holder_died = false;  // the target may have it yet
    bool died = false;
    std::string ended;  // how, in order or not
  };
  Life* find(const ConnectionId& connection);
  void refused_at_once(const MigrationFinished& finished);
  NodeId next_wanted(const ConnectionId& connection);
  void on_stage(PortId node, const MigrationStageReached& reached);
  void on_grant(const Tenure& tenure);

  std::map<NodeId, PortId> ports_;
  std::set<PortId> dead_;  // and not heard of since
  std::map<ConnectionId, Life> lives_;
  std::map<ConnectionId, std::deque<NodeId>> wanted_;  // targets of requests not looked at yet
  std::map<Endpoint, ConnectionId> latest_;
};

}  // namespace migd::sim
