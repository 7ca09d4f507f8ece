// The target's half of migrations: take the blob, attach it silently, wait for the grant, speak.
//
//   PREPARE ---> would it be taken? PROMISE; room for it is kept for a while (promises.h)
//   STATE ---> kAttached ---GRANT---> kActivated
//      \            \ ABORT, or the source is gone for good
//       `------------`----> never: released without a segment; what came for it goes to the source
//
// GRANT may ride with STATE: then attaching and activating are one step.
//
// What it decided about a tenure it remembers for a while, so that every repeated message gets the
// same answer: a STATE of a tenure that was refused is refused again, a GRANT of one that was
// activated is answered with ACTIVE again.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "migrator/environment.h"
#include "migrator/promises.h"
#include "migrator/tenure_table.h"

namespace migd {

class TargetHalf {
 public:
  TargetHalf(MigratorEnvironment& environment, Instant now);

  void on_prepare(const wire::Prepare& message, NodeId from, Instant now);
  void on_state(const wire::State& head, ByteView blob, Instant now);
  void on_grant(const wire::Grant& message, NodeId from, Instant now);
  void on_abort(const wire::Abort& message, NodeId from, Instant now);
  void on_barrier(const wire::Barrier& message, NodeId from, Instant now);
  void on_session_up(NodeId peer, Instant now);

  Instant next_deadline() const {
    return std::min(wheel_.next_deadline(), promises_.next_deadline());
  }
  void on_deadline(Instant now);

 private:
  // kAwaited: something about it came before its STATE.
  enum class Verdict { kAwaited, kAttached, kActivated, kDeclined };
  // What is known of it until it is activated, and its mapping looked after.
  struct Arrival {
    wire::State head;
    std::string reason;  // why never
    std::optional<FrozenConnection> frozen;
    std::string application;
    ConnectionRecord record;  // from its activation on
    std::uint32_t blob_bytes = 0;
    Instant attached_at;
    bool barrier_passed = false, quiet = false;  // quiet: said by the barrier
    Boot mapped_by;                              // the boot of the forwarder whose barrier has come
  };
  // Remembered for a minute, of each that has ever come.
  struct Incoming : TimerWheel::Node {
    Tenure tenure;
    NodeId source;
    Verdict verdict = Verdict::kAwaited;
    std::unique_ptr<Arrival> arrival = std::make_unique<Arrival>();  // null: all is said and done
  };

  Incoming& expect(const Tenure& tenure, NodeId source, Instant now);  // made when it is not known
  void answer_again(Incoming& incoming, Instant now);
  std::string fence(const Tenure& tenure, const FourTuple& tuple) const;
  Result<ConnectionBlob> open(const wire::State& head, ByteView blob) const;
  void receive(Incoming& incoming, ByteView blob, Instant now);
  void complete(Arrival& arrival) const;
  void decline(Incoming& incoming, const std::string& reason, Instant now);
  void attach(Incoming& incoming, FrozenConnection frozen, Instant now);
  void activate(Incoming& incoming, Instant now);
  void map_inbound(const wire::State& head);
  void confirm_mapping(const Arrival& arrival, Instant now);
  void give_back(Arrival& arrival, Instant now);

  MigratorEnvironment& env_;
  Promises promises_;
  TenureTable<Incoming> incoming_;
  TimerWheel wheel_;
};

}  // namespace migd
