// Invariants 1 and 5. From the nodes' own stage messages follows who may speak for a connection at
// which moment; from the wire, who did.
//
//   LIVE(owner) --freeze--> FROZEN --GRANT--> GRANTED --activated--> LIVE(target)
//        ^------- given up ---'                 '-- the target never will --> LIVE(owner)
//
// In LIVE only the owner speaks, in FROZEN nobody, in GRANTED only the target. SilentSource reports
// an owner that speaks while FROZEN; OneOwner reports everybody else who speaks out of turn.
// Messages are delivered a little after what they tell of, within the same instant of virtual time,
// so a segment is judged by all the states that there were in its instant.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/check/checker.h"

namespace migd::sim {

class Ownership : public Checker {
 public:
  enum class Phase { kLive, kFrozen, kGranted };
  struct Tenancy {
    ConnectionId connection;
    Phase phase = Phase::kLive;
    Epoch epoch;
    PortId owner = 0;
    Epoch granted;                     // in GRANTED: the epoch that may begin
    std::map<PortId, Epoch> attached;  // who is ready to own which epoch
  };

  Ownership(std::string name, const SimNet& net) : Checker(std::move(name)), net_(net) {}

  void on_segment(const SegmentSeen& seen) override;
  void on_message(PortId node, Instant at, const Message& message) override;
  void at_end(Instant at) override;

 protected:
  // Why `speaker` may not speak; nothing when it may, or when it is not for this checker to say.
  virtual std::optional<std::string> objection(PortId speaker, const Tenancy* tenancy) const = 0;
  // A stage that was reached out of turn.
  virtual void on_disorder(Instant /*at*/, std::string /*what*/) {}
  std::string node_name(PortId port) const { return net_.name(port); }

 private:
  struct Doubt {
    Instant at;
    FourTuple tuple;
    PortId speaker;
    std::string segment;
  };
  const Tenancy* tenancy_of(const FourTuple& tuple) const;
  void settle_doubts(Instant before);
  void dispel_doubts(Instant at);
  void on_stage(PortId node, Instant at, const MigrationStageReached& reached);
  void on_finished(PortId node, const MigrationFinished& finished);

  const SimNet& net_;
  std::map<FourTuple, Tenancy> tenancies_;
  std::map<ConnectionId, FourTuple> tuples_;
  std::vector<Doubt> doubts_;
};

class OneOwner : public Ownership {
 public:
  explicit OneOwner(const SimNet& net) : Ownership("one_owner", net) {}

 private:
  void on_disorder(Instant at, std::string what) override { report(at, std::move(what)); }
  std::optional<std::string> objection(PortId speaker, const Tenancy* tenancy) const override;
};

class SilentSource : public Ownership {
 public:
  explicit SilentSource(const SimNet& net) : Ownership("silent_source", net) {}

 private:
  std::optional<std::string> objection(PortId speaker, const Tenancy* tenancy) const override;
};

}  // namespace migd::sim
