// The source's half of migrations: freeze, capture, send, grant, release, and every way back.
//
//   kRequested -PROMISE-> kPrepared -> kFrozen -> kSent -READY-> kGranted -ACTIVE-> kReleased
//        \                   \            \          \ REFUSE, time-out, target or way lost
//         `-------------------`------------`----------`-> as it was; once sent, a higher epoch
//
// Preparing. The target is asked before the freeze. When it has promised and the state is small,
// GRANT rides with STATE: kSent and kGranted are one step, the client is kept waiting for one
// crossing in place of three, and a target that dies in that moment was the owner. A state that the
// application has handed over is true only now: it does not wait for a promise.
//
// Settling, in kPrepared. Where a round trip takes less than a move, what is queued and in flight
// reaches the client sooner by itself than in a blob: the application's writing pauses, and the
// freeze comes when little is left, or after kSettlingPatience. MigrationMode::kDrain waits until
// nothing is left, or the move is given up.
//
// Holding (MigrationMode::kHold), in kRequested, until the target promises: the application neither
// reads nor writes, and this node owns the connection as before: its stack acknowledges what fits
// the window that was advertised, and answers what comes behind with an ACK and a closed window. So
// none of these segments comes after the freeze, and the state is captured behind the last of them.
// A move that fails before GRANT, and was not refused, is held again.
//
// Until kGranted every failure leads back. After it only the target's own REFUSE does; a target
// that dies then was the owner.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "migrator/environment.h"
#include "migrator/tenure_table.h"

namespace migd {

// Of Metrics: from the freeze to the target's ACTIVE, of each completed migration.
inline constexpr std::string_view kFreezeHistogram = "migd_migration_freeze_microseconds";

class SourceHalf {
 public:
  SourceHalf(MigratorEnvironment& environment, Instant now);

  // The application's own wish, with its state; consumed by the next start() of that connection.
  void set_handover(const ConnectionId& connection, Shim::Handover handover);

  // What stands in the way (readiness.h), a move that is under way included.
  Blockers blockers(const Connection& connection, const MigrationRequest& wish) const;

  // Either under way when this returns, or refused: both end in a MigrationFinished on the bus.
  void start(const MigrationRequest& request, Instant now);

  void on_promise(const wire::Promise& message, NodeId from, Instant now);
  void on_ready(const wire::Ready& message, NodeId from, Instant now);
  void on_refuse(const wire::Refuse& message, NodeId from, Instant now);
  void on_active(const wire::Active& message, NodeId from, Instant now);
  // False when it concerns no migration of this half.
  bool on_barrier(const wire::Barrier& message, Instant now);
  // STATE did not get through `via`.
  void on_undeliverable(const Tenure& tenure, NodeId via, const std::string& reason, Instant now);
  void on_session_up(NodeId peer, Boot boot, Instant now);
  void on_session_down(NodeId peer, Instant now);
  // A later tenure of the connection has come to this node: the move we wait for is done.
  void on_superseded(const ConnectionId& connection, Epoch by, Instant now);

  // It is on its way, or is being prepared for it.
  bool moving(const ConnectionId& connection) const;

  // Freezes those that have settled. To be called whenever something has come in.
  void poll(Instant now);
  Instant next_deadline() const { return wheel_.next_deadline(); }
  void on_deadline(Instant now);

 private:
  struct Outgoing : TimerWheel::Node {
    bool holds() const { return request.terms.mode == MigrationMode::kHold; }

    MigrationRequest request;
    Shim::Handover handover;
    FourTuple tuple;
    Tenure tenure;          // of the new owner
    NodeId forwarder;       // 0: none
    NodeId way;             // the node that STATE was sent by; the target itself when straight
    bool straight = false;  // since the way by the forwarder was lost
    FlowId flow;
    FlowId own_flow;   // for stragglers, of our own counter
    Boot target_boot;  // at the time of STATE
    Stage stage = Stage::kRequested;
    bool promised = false;   // by the target
    bool rides = false;      // GRANT with STATE
    bool forwarded = false;  // no application has it
    std::optional<FrozenConnection> frozen;
    std::optional<wire::Barrier> barrier;  // that has come down the old way
    std::uint32_t blob_bytes = 0;
    Instant started, give_up;
    std::array<std::optional<Duration>, kStageCount> stage_at{};
  };

  bool stays_unbound(const MigrationRequest& request, const Connection& connection) const;
  bool still_fit(Outgoing& m, const Connection* connection);
  bool ask(const Outgoing& m, const Connection& connection, Instant now);
  void hold(Outgoing& m, Connection& connection, Instant now);
  void hold_on(Outgoing& m, Instant now);
  bool settles_by_itself(const Outgoing& m) const;
  void settle(Outgoing& m, Connection& connection, Instant now);
  void stop_settling(const Tenure& tenure, Instant now);
  void freeze(Outgoing& m, Connection& connection, Instant now);
  template <typename Reason>  // Blockers, or in words
  void withdraw(Outgoing& m, const Reason& reason);
  Result<void> choose_way(Outgoing& m);
  Result<void> send_state(Outgoing& m, Instant now);
  PastMove this_move(const Outgoing& m, Instant now) const;
  static IntermediateDriver::Reference reference_of(const Outgoing& m) {
    return {m.tenure, m.request.target, m.own_flow};
  }
  static Duration frozen_for(const Outgoing& m, Instant now);
  Result<Bytes> bundle(Outgoing& m, Instant now) const;
  void grant(Outgoing& m, Instant now);
  void say_granted(const Outgoing& m, Instant now);
  void roll_back(Outgoing& m, const std::string& reason, MigrationOutcome outcome, Instant now);
  void go_straight(Outgoing& m, Instant now);
  void pass_barrier(Outgoing& m, Instant now);
  void release(Outgoing& m, Instant now);
  void reach(Outgoing& m, Stage stage, Instant now);
  void measure(const Outgoing& m);
  void finish(const Outgoing& m, MigrationOutcome outcome, const std::string& reason, Instant now);
  void refuse(const MigrationRequest& request, const std::string& reason);
  void refuse(const MigrationRequest& request, const Blockers& blockers);
  void report_refused(const MigrationRequest& request, const std::string& reason);

  MigratorEnvironment& env_;
  DurationHistogram& freeze_times_;
  std::array<DurationHistogram*, kStageCount> stage_times_;  // of the environment's metrics
  TenureTable<Outgoing> outgoing_;
  std::vector<Tenure> settling_;  // few: each for some milliseconds
  std::unordered_map<ConnectionId, Shim::Handover> handovers_;
  TimerWheel wheel_;
};

}  // namespace migd
