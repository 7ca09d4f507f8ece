// The intermediate driver: between the protocol stack and the device.
//
// Theory of operation
//   Every packet for this node passes here before the stack sees it. What came to our tunnel
//   address is unwrapped: datagrams of the blob channel are recognised and go to the channel, below
//   the stack; encapsulated packets get their four-tuple back. Then a packet meets the gate of its
//   flow:
//
//     stack knows it, live            -> stack
//     stack knows it, frozen, source  -> hold, in order; after GRANT pass on to the new owner
//     attached here, not yet active   -> hold: stragglers (by the old owner) and direct ones apart
//     active, barrier outstanding     -> stragglers to the stack, direct ones held behind them
//     nobody knows it, tombstone      -> pass on to the new owner (never a SYN)
//     a SYN that nobody takes         -> goes back the way it came, to be classified: its
//                                        four-tuple was mapped here for an earlier connection
//     unknown flow identifier         -> hold for a moment: its STATE may be right behind
//     nobody knows it                 -> drop, counted; never an answer
//
//   Order. After a forwarder's mapping has changed, packets come by two ways: straight from the
//   forwarder, and, older, by the old owner. Behind the last of these the forwarder sends an order
//   mark (forwarder/order_mark.h), which the old owner holds and passes on like any packet; and a
//   barrier, by the channel, which says that there was a last one. Until both have come the direct
//   ones wait. When the barrier does not come within kBarrierPatience, or the mark not within
//   kMarkPatience behind it, they are released all the same: order is then the client's to restore.
//
//   Tombstones collapse. Who passes a packet on to a node that has but a tombstone itself is told
//   of the newer owner, and turns to that one when its own has been quiet for kBarrierPatience: a
//   packet that takes the shorter way must not overtake one on the longer.
//
// Engine: no clock, no I/O. Everything it holds is bounded and counted.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/datagram.h"
#include "base/drop_reason.h"
#include "base/four_tuple_hash.h"
#include "base/ids.h"
#include "base/metrics.h"
#include "base/slab_map.h"
#include "base/timer_wheel.h"
#include "forwarder/tunnel.h"
#include "migrator/hold_queue.h"
#include "stack/stack.h"

namespace migd {

class IntermediateDriver {
 public:
  // How a packet for a VIP reached this node.
  enum class Arrival {
    kDirect,     // from the device, or straight from a forwarder
    kStraggler,  // by an earlier owner
  };

  static constexpr Duration kBarrierPatience = 30ms;
  static constexpr Duration kMarkPatience = 10ms;
  static constexpr Duration kOrphanPatience = 200ms;
  static constexpr std::size_t kOrphanChargeMax = 16u << 20;
  static constexpr std::size_t kTombstonesMax = 1u << 20;
  static constexpr std::size_t kUnclaimedSynsMax = 64;  // in one batch of packets
  static constexpr std::size_t kReferralsMax = 64;      // in one batch of packets

  IntermediateDriver(Stack& stack, Tunnel& tunnel, DatagramReceiver& channel, DropCounters& drops,
                     Metrics& metrics, const SipKey& table_key, Instant now);

  // ---- packets ----
  void on_tunnel_frame(Frame frame, Instant now);           // to our tunnel address
  void deliver(Frame frame, Arrival arrival, Instant now);  // to a VIP, for this node

  // ---- the source's half ----
  // From the freeze on: packets of the tuple are held.
  void hold_at_source(const FourTuple& tuple, std::uint32_t window_bytes);
  // Where a flow has gone: its new owner, and the identifier that it has mapped for what we pass
  // on; without one, packets go by GUE.
  struct Reference {
    Tenure tenure;
    NodeId owner;
    FlowId flow;
  };
  // GRANT: what is held goes to the new owner, and so does everything that still comes.
  void pass_on(const FourTuple& tuple, const Reference& to, Instant now);
  // Since then, and the old owner has not let go of it yet.
  bool has_passed_nothing(const FourTuple& tuple) const;
  // Behind what was passed on, when no forwarder's mark comes here to be passed on.
  void mark_end(const FourTuple& tuple, const Reference& to);
  // Rollback: the gate is gone; what was held is the caller's to replay.
  std::vector<Frame> take_back(const FourTuple& tuple);
  // The parked PCB is gone; the tombstone stays for stragglers.
  void release_at_source(const FourTuple& tuple);

  // ---- the target's half ----
  // What `source` passes on is older than what comes from elsewhere, or from itself under `direct`.
  struct Arriving {
    FourTuple tuple;
    Epoch epoch;
    NodeId source;
    NodeId forwarder;  // 0: none has mapped it, and no barrier comes
    FlowId direct;     // the forwarder's identifier
    std::uint32_t window_bytes = 0;
    bool barrier_passed = false;
    bool quiet = false;  // and no mark comes
  };
  void hold_at_target(const Arriving& arriving);
  // The mapping of (forwarder, flow) was installed: packets that came too early are delivered.
  void adopt_orphans(Instant now);
  // ACTIVE: the stack is live. Stragglers go in, then, if the barrier has passed, the direct ones.
  void activate(const FourTuple& tuple, Instant now);
  // `quiet`: no mark follows, since no packet was on the old way.
  void on_barrier(const FourTuple& tuple, bool quiet, Instant now);
  // Active, and what an earlier owner passes on has not all come.
  bool awaits_older(const FourTuple& tuple) const;
  // Not ours and never was: what comes for it belongs to the source.
  void refer(const FourTuple& tuple, const Reference& to, Instant now) { bury(tuple, to, now); }
  // The target gives up: what came straight to it goes back to the source.
  void return_to_source(const FourTuple& tuple, const Reference& source, Instant now);

  // ---- tombstones ----
  struct Tombstone {
    Reference to;
    Instant expires;
    std::optional<Reference> newer;  // followed once nothing has been passed on for a while
    Instant used{};                  // when a packet was passed on last
    NodeId told;                     // the last who was told where it leads

    const Reference& newest() const { return newer ? *newer : to; }
  };
  const Tombstone* tombstone(const FourTuple& tuple) const;
  void for_each_tombstone(
      const std::function<void(const FourTuple&, const Tombstone&)>& visit) const;

  // `by`, to whom our tombstone leads, knows the newer owner.
  void collapse(const FourTuple& tuple, NodeId by, const Reference& newer);
  // Who passes packets on to us that only pass through: to be told where they end.
  struct Referral {
    NodeId to;
    FourTuple tuple;
    Reference newer;
  };
  std::vector<Referral> take_referrals() { return std::exchange(referrals_, {}); }
  void not_told(const FourTuple& tuple);  // it could not be sent: again with the next packet

  Instant next_deadline() const;
  void on_deadline(Instant now);

  // The forwarder that has passed on the SYN of this tuple since forget_origins(); else 0.
  NodeId origin_of(const FourTuple& tuple) const;
  void forget_origins() { origins_.clear(); }

  // SYNs that `from` has passed on, and that no connection and no listener here takes. To be
  // asked for when the end of the earlier connection has been told.
  struct UnclaimedSyn {
    Frame frame;
    NodeId from;
    int hops = 0;   // so far
    Tenure mapped;  // of whom `from` took it to be
  };
  std::vector<UnclaimedSyn> take_unclaimed_syns() { return std::exchange(unclaimed_syns_, {}); }
  // SYNs that somebody gives back to whom he took them from: he does not have the connection that
  // they were taken to be of, so whatever is mapped to him here is over. What is mapped to another
  // by now is not (Forwarder::follow); any other SYN is to be delivered.
  struct ReturnedSyn {
    Frame frame;
    FourTuple tuple;
    Tenure mapped;
    NodeId by;
    int hops = 0;  // so far
  };
  std::vector<ReturnedSyn> take_returned_syns() { return std::exchange(returned_syns_, {}); }
  void deliver(ReturnedSyn syn, Instant now);

  std::size_t held_flows() const { return gates_.size(); }

 private:
  enum class Phase { kSourceHolding, kSourcePassing, kTargetAttached, kTargetAwaitingBarrier };
  struct Gate : TimerWheel::Node {  // its deadline: the patience with the barrier
    explicit Gate(std::uint32_t window_bytes) : stragglers(window_bytes), direct(window_bytes) {}
    Phase phase = Phase::kSourceHolding;
    HoldQueue stragglers;  // at the source: everything
    HoldQueue direct;
    bool barrier_passed = false;
    bool marked = false;
    bool has_passed = false;  // anything to the target
    Reference to;             // kSourcePassing
    Arriving arriving;        // at the target
    FourTuple tuple;
  };
  struct Orphan {
    Frame frame;  // still encapsulated
    Instant expires;
  };

  // How it came here, and what it is.
  struct Passing {
    NodeId from;  // 0: from the device
    FlowId flow;
    Arrival arrival = Arrival::kDirect;
    int hops = 0;
    FourTuple tuple{};    // of an ICMP error: what it quotes
    bool is_syn = false;  // opens a connection: SYN without ACK
    Tenure tenure{};      // that it is said to belong to
    NodeId next_hop{};    // to ask when nobody here knows the flow
    std::optional<Epoch> mark{};
  };
  bool at_gate(Frame& frame, const Passing& packet, Instant now);
  void mark_elsewhere(Frame frame, const Passing& packet, Instant now);
  static bool is_straggler(const Gate& gate, const Passing& packet);
  void open_gate(Gate& gate, Instant now);
  void to_stack(Frame frame, const Passing& packet, Instant now);
  bool went_in_circles(const Passing& packet);
  void ask_next_hop(Frame frame, const Passing& packet);
  void give_back(Frame frame, const Passing& packet);
  Tombstone* live_tombstone(const FourTuple& tuple, Instant now);
  void follow(Tombstone& stone, Frame frame, const Passing& packet, Instant now);
  void hold(HoldQueue& queue, Frame& frame);
  void send_straggler(Frame frame, const Reference& to, int hops);
  void release_direct(Gate& gate, Instant now);
  void hold_orphan(Frame frame, Instant now);
  void deliver_icmp(Frame frame, const Passing& packet, Instant now);
  void note_origin(const FourTuple& tuple, NodeId from);
  void bury(const FourTuple& tuple, const Reference& to, Instant now);
  void deliver(Frame frame, Passing packet, Instant now);

  Stack& stack_;
  Tunnel& tunnel_;
  DatagramReceiver& channel_;
  DropCounters& drops_;
  Counter& stragglers_sent_;
  Counter& early_held_;
  Counter& marks_;

  std::unordered_map<FourTuple, std::unique_ptr<Gate>, FourTupleHash> gates_;
  SlabMap<FourTuple, Tombstone, FourTupleHash> tombstones_;
  std::deque<std::pair<Instant, FourTuple>> tombstone_expiry_;  // oldest first
  std::deque<Orphan> orphans_;
  std::size_t orphan_charge_ = 0;
  std::unordered_map<FourTuple, NodeId, FourTupleHash> origins_;  // of one batch of packets
  std::vector<UnclaimedSyn> unclaimed_syns_;
  std::vector<ReturnedSyn> returned_syns_;
  std::vector<Referral> referrals_;
  TimerWheel wheel_;
};

}  // namespace migd
