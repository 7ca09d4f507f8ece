#include "migrator/intermediate_driver.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "base/packet.h"
#include "base/quoted_segment.h"
#include "forwarder/order_mark.h"

namespace migd {
namespace {

// A packet for a VIP: the tuple's local end is the destination. Unset for what is not TCP.
struct Segment {
  FourTuple tuple;
  TcpView tcp;
};

std::optional<Segment> segment_of(ByteView packet) {
  const auto ip = parse_ip(packet);
  if (!ip || ip->protocol != kProtocolTcp || ip->is_fragment) return std::nullopt;
  const auto tcp =
      TcpView::parse(packet.subspan(ip->header_size, ip->total_size - ip->header_size));
  if (!tcp) return std::nullopt;
  return Segment{{{ip->dst, tcp->dst_port()}, {ip->src, tcp->src_port()}}, *tcp};
}

// The flow that an ICMP error is about. Unset for all else.
std::optional<FourTuple> quoted_in(ByteView packet) {
  const auto ip = parse_ip(packet);
  if (!ip || ip->protocol != icmp_of(ip->family()) || ip->is_fragment) return std::nullopt;
  const auto icmp =
      IcmpView::parse(packet.subspan(ip->header_size, ip->total_size - ip->header_size));
  const auto quoted = icmp ? quoted_segment(*icmp, ip->family()) : std::nullopt;
  return quoted ? std::optional(quoted->flow) : std::nullopt;
}

bool is_tcp(const Frame& frame) {
  const auto ip = parse_ip(frame.bytes());
  return ip && ip->protocol == kProtocolTcp;
}

}  // namespace

IntermediateDriver::IntermediateDriver(Stack& stack, Tunnel& tunnel, DatagramReceiver& channel,
                                       DropCounters& drops, Metrics& metrics,
                                       const SipKey& table_key, Instant now)
    : stack_(stack),
      tunnel_(tunnel),
      channel_(channel),
      drops_(drops),
      stragglers_sent_(metrics.counter("migd_stragglers_sent_total")),
      early_held_(metrics.counter("migd_early_packets_held_total")),
      marks_(metrics.counter("migd_order_marks_total")),
      gates_(16, FourTupleHash{table_key}),
      tombstones_(kTombstonesMax, FourTupleHash{table_key}),
      origins_(16, FourTupleHash{table_key}),
      wheel_(now) {}

// ---- packets ----

void IntermediateDriver::on_tunnel_frame(Frame frame, Instant now) {
  Tunnel::Received received = tunnel_.receive(frame, now);
  if (const auto* datagram = std::get_if<Tunnel::ChannelDatagram>(&received)) {
    datagram->for_each(
        [&](ByteView payload) { channel_.on_datagram(datagram->from, payload, now); });
  } else if (const auto* inner = std::get_if<Tunnel::InnerPacket>(&received)) {
    const bool straggler = inner->gue && inner->gue->forwarded;
    Passing packet{inner->from, inner->flow, straggler ? Arrival::kStraggler : Arrival::kDirect};
    if (inner->gue) {
      packet.hops = inner->gue->hops;
      packet.next_hop = inner->gue->next_hop;
      packet.tenure = inner->gue->tenure;
    }
    deliver(std::move(frame), packet, now);
  } else if (const auto* drop = std::get_if<DropReason>(&received)) {
    if (*drop == DropReason::kUnknownFlowId) {
      hold_orphan(std::move(frame), now);
    } else {
      drops_.count(*drop);
    }
  }
}

void IntermediateDriver::deliver(Frame frame, Arrival arrival, Instant now) {
  deliver(std::move(frame), Passing{{}, {}, arrival}, now);
}

void IntermediateDriver::deliver(Frame frame, Passing packet, Instant now) {
  const std::optional<Segment> segment = segment_of(frame.bytes());
  if (!segment) {
    if (const auto tuple = quoted_in(frame.bytes())) {
      packet.tuple = *tuple;
      deliver_icmp(std::move(frame), packet, now);
    } else {
      drops_.count(DropReason::kUnsupportedProtocol);
    }
    return;
  }
  packet.tuple = segment->tuple;
  packet.is_syn = segment->tcp.has(tcp_flag::kSyn) && !segment->tcp.has(tcp_flag::kAck);
  packet.mark = order_mark(segment->tcp);
  if (!gates_.empty() && at_gate(frame, packet, now)) return;
  if (packet.mark) return mark_elsewhere(std::move(frame), packet, now);
  if (packet.is_syn && packet.arrival == Arrival::kStraggler) {
    if (returned_syns_.size() == kUnclaimedSynsMax) return drops_.count(DropReason::kNoService);
    returned_syns_.push_back(
        {std::move(frame), packet.tuple, packet.tenure, packet.from, packet.hops});
    return;
  }
  if (packet.is_syn) note_origin(packet.tuple, packet.from);
  to_stack(std::move(frame), packet, now);
}

void IntermediateDriver::deliver(ReturnedSyn syn, Instant now) {
  Passing packet{syn.by, {}, Arrival::kStraggler, syn.hops, syn.tuple};
  packet.is_syn = true;
  packet.tenure = syn.mapped;
  to_stack(std::move(syn.frame), packet, now);
}

// It follows the flow, and is never the stack's: an answer to it would reach the client.
void IntermediateDriver::mark_elsewhere(Frame frame, const Passing& packet, Instant now) {
  Tombstone* const stone = live_tombstone(packet.tuple, now);
  if (stone == nullptr || stack_.find(packet.tuple) != nullptr) {
    marks_.add();
  } else {
    follow(*stone, std::move(frame), packet, now);
  }
}

bool IntermediateDriver::is_straggler(const Gate& gate, const Passing& packet) {
  if (packet.arrival == Arrival::kStraggler) return true;
  if (packet.from == NodeId{} || packet.from != gate.arriving.source) return false;
  return gate.arriving.source != gate.arriving.forwarder || packet.flow != gate.arriving.direct;
}

void IntermediateDriver::note_origin(const FourTuple& tuple, NodeId from) {
  if (from != NodeId{}) origins_[tuple] = from;
}

// Held by nobody: as long as packets are too big, one is told so.
void IntermediateDriver::deliver_icmp(Frame frame, const Passing& packet, Instant now) {
  switch (stack_.input(frame, now)) {
    case Stack::InputVerdict::kTaken:
      return;
    case Stack::InputVerdict::kFrozen:
      drops_.count(DropReason::kIcmpIgnored);
      return;
    case Stack::InputVerdict::kNoConnection:
      if (Tombstone* const stone = live_tombstone(packet.tuple, now)) {
        follow(*stone, std::move(frame), packet, now);
      } else {
        drops_.count(DropReason::kNoConnection);
      }
      return;
  }
}

// True when the flow's gate has taken the packet.
bool IntermediateDriver::at_gate(Frame& frame, const Passing& packet, Instant now) {
  const auto it = gates_.find(packet.tuple);
  if (it == gates_.end()) return false;
  Gate& gate = *it->second;
  const bool straggler = is_straggler(gate, packet);
  const bool at_target =
      gate.phase == Phase::kTargetAttached || gate.phase == Phase::kTargetAwaitingBarrier;
  if (packet.mark && at_target) {
    marks_.add();
    gate.marked |= straggler && *packet.mark == gate.arriving.epoch;
    open_gate(gate, now);
    return true;
  }
  switch (gate.phase) {
    case Phase::kSourceHolding:
      hold(gate.stragglers, frame);
      return true;
    case Phase::kSourcePassing:
      gate.has_passed = true;
      send_straggler(std::move(frame), gate.to, 0);
      return true;
    case Phase::kTargetAttached:
      early_held_.add();
      hold(straggler ? gate.stragglers : gate.direct, frame);
      return true;
    case Phase::kTargetAwaitingBarrier:
      if (straggler) return false;  // older than what is held: straight in
      early_held_.add();
      hold(gate.direct, frame);
      return true;
  }
  check_failed("Phase is known", __FILE__, __LINE__);
}

void IntermediateDriver::hold(HoldQueue& queue, Frame& frame) {
  if (!queue.push(frame)) drops_.count(DropReason::kHoldQueueFull);
}

void IntermediateDriver::to_stack(Frame frame, const Passing& packet, Instant now) {
  switch (stack_.input(frame, now)) {
    case Stack::InputVerdict::kTaken:
      return;
    case Stack::InputVerdict::kFrozen:
      // Every frozen connection has a gate; only one that shut_down() parked may lack it.
      drops_.count(packet.is_syn ? DropReason::kFrozenSynDropped : DropReason::kNoConnection);
      return;
    case Stack::InputVerdict::kNoConnection:
      if (packet.is_syn) {
        give_back(std::move(frame), packet);
      } else if (Tombstone* const stone = live_tombstone(packet.tuple, now)) {
        follow(*stone, std::move(frame), packet, now);
      } else if (stack_.complete_handshake(frame, now)) {
        note_origin(packet.tuple, packet.from);  // only a forwarder sends what nobody owns
      } else if (packet.next_hop != NodeId{}) {
        ask_next_hop(std::move(frame), packet);
      } else {
        drops_.count(DropReason::kNoConnection);
      }
      return;
  }
}

// What has been passed on too often ends here, counted.
bool IntermediateDriver::went_in_circles(const Passing& packet) {
  if (packet.hops < limits::kForwardHopsMax) return false;
  drops_.count(DropReason::kEncapsulationLoop);
  return true;
}

// The forwarder's choice may have changed since the SYN: its second one may know the flow.
void IntermediateDriver::ask_next_hop(Frame frame, const Passing& packet) {
  if (went_in_circles(packet)) return;
  GueHeader header;
  header.hops = static_cast<std::uint8_t>(packet.hops + 1);
  header.tenure = packet.tenure;
  tunnel_.send_gue(std::move(frame), packet.next_hop, header);
}

// A SYN never follows a tombstone: it begins another connection.
void IntermediateDriver::give_back(Frame frame, const Passing& packet) {
  if (packet.from == NodeId{} || unclaimed_syns_.size() == kUnclaimedSynsMax) {
    drops_.count(DropReason::kNoService);
  } else if (!went_in_circles(packet)) {
    unclaimed_syns_.push_back({std::move(frame), packet.from, packet.hops, packet.tenure});
  }
}

void IntermediateDriver::follow(Tombstone& stone, Frame frame, const Passing& packet, Instant now) {
  if (went_in_circles(packet)) return;
  if (stone.newer && now - stone.used >= kBarrierPatience) {
    stone.to = *std::exchange(stone.newer, std::nullopt);
    stone.told = NodeId{};
  }
  stone.used = now;
  if (packet.from != NodeId{} && packet.from != stone.told && referrals_.size() < kReferralsMax) {
    stone.told = packet.from;
    referrals_.push_back({packet.from, packet.tuple, stone.newest()});
  }
  send_straggler(std::move(frame), stone.to, packet.hops);
}

void IntermediateDriver::not_told(const FourTuple& tuple) {
  if (Tombstone* const stone = tombstones_.find(tuple)) stone->told = NodeId{};
}

void IntermediateDriver::collapse(const FourTuple& tuple, NodeId by, const Reference& newer) {
  Tombstone* const stone = tombstones_.find(tuple);
  if (stone == nullptr) return;
  const Tenure& known = stone->newest().tenure;
  const bool leads_there = by == stone->to.owner || (stone->newer && by == stone->newer->owner);
  if (leads_there && known.connection == newer.tenure.connection &&
      known.epoch < newer.tenure.epoch) {
    stone->newer = newer;
  }
}

void IntermediateDriver::send_straggler(Frame frame, const Reference& to, int hops) {
  stragglers_sent_.add();
  if (to.flow != FlowId{} && is_tcp(frame)) {  // trains stay whole; the hop limit ends a loop
    tunnel_.send_mapped(std::move(frame), to.owner, to.flow);
    return;
  }
  GueHeader header;
  header.forwarded = true;
  header.hops = static_cast<std::uint8_t>(hops + 1);
  header.tenure = to.tenure;
  tunnel_.send_gue(std::move(frame), to.owner, header);
}

NodeId IntermediateDriver::origin_of(const FourTuple& tuple) const {
  const auto it = origins_.find(tuple);
  return it == origins_.end() ? NodeId{} : it->second;
}

// ---- packets that came before their STATE ----

void IntermediateDriver::hold_orphan(Frame frame, Instant now) {
  if (orphan_charge_ + frame.charge() > kOrphanChargeMax) {
    drops_.count(DropReason::kUnknownFlowId);
    return;
  }
  orphan_charge_ += frame.charge();
  orphans_.push_back({std::move(frame), now + kOrphanPatience});
}

void IntermediateDriver::adopt_orphans(Instant now) {
  orphan_charge_ = 0;
  std::deque<Orphan> waiting = std::exchange(orphans_, {});
  for (Orphan& orphan : waiting) {
    const Instant expires = orphan.expires;
    const std::size_t before = orphans_.size();
    on_tunnel_frame(std::move(orphan.frame), now);
    if (orphans_.size() > before) orphans_.back().expires = expires;  // still nobody's
  }
}

// ---- the source's half ----

void IntermediateDriver::hold_at_source(const FourTuple& tuple, std::uint32_t window_bytes) {
  auto& slot = gates_[tuple];
  MIGD_CHECK(slot == nullptr || slot->phase == Phase::kTargetAwaitingBarrier);
  auto gate = std::make_unique<Gate>(window_bytes);
  gate->tuple = tuple;
  if (slot != nullptr) {
    // Moves on before its own arrival's barrier came: what waits for that barrier waits here now.
    for (Frame& frame : slot->direct.take())
      hold(gate->stragglers, frame);
  }
  slot = std::move(gate);
}

void IntermediateDriver::pass_on(const FourTuple& tuple, const Reference& to, Instant now) {
  Gate& gate = *gates_.at(tuple);
  MIGD_CHECK(gate.phase == Phase::kSourceHolding);
  gate.phase = Phase::kSourcePassing;
  gate.to = to;
  gate.has_passed = !gate.stragglers.empty();
  for (Frame& frame : gate.stragglers.take())
    send_straggler(std::move(frame), to, 0);
  bury(tuple, to, now);
}

bool IntermediateDriver::has_passed_nothing(const FourTuple& tuple) const {
  const auto it = gates_.find(tuple);
  return it != gates_.end() && it->second->phase == Phase::kSourcePassing &&
         !it->second->has_passed;
}

void IntermediateDriver::mark_end(const FourTuple& tuple, const Reference& to) {
  send_straggler(make_order_mark(tuple, to.tenure.epoch, tunnel_.pool()), to, 0);
}

std::vector<Frame> IntermediateDriver::take_back(const FourTuple& tuple) {
  const auto it = gates_.find(tuple);
  MIGD_CHECK(it != gates_.end());
  std::vector<Frame> held = it->second->stragglers.take();
  std::erase_if(held, [](const Frame& frame) {
    const std::optional<Segment> segment = segment_of(frame.bytes());
    return segment && order_mark(segment->tcp);
  });
  if (it->second->phase == Phase::kSourcePassing) tombstones_.erase(tuple);  // it never left
  gates_.erase(it);
  return held;
}

void IntermediateDriver::release_at_source(const FourTuple& tuple) {
  const auto it = gates_.find(tuple);
  if (it != gates_.end() && it->second->phase == Phase::kSourcePassing) gates_.erase(it);
}

// ---- the target's half ----

void IntermediateDriver::hold_at_target(const Arriving& arriving) {
  auto gate = std::make_unique<Gate>(arriving.window_bytes);
  gate->tuple = arriving.tuple;
  gate->phase = Phase::kTargetAttached;
  gate->barrier_passed = arriving.barrier_passed || arriving.forwarder == NodeId{};
  gate->marked = arriving.forwarder == NodeId{} || arriving.quiet;
  gate->arriving = arriving;
  tombstones_.erase(arriving.tuple);  // it has come back: nothing is to follow the old reference
  gates_[arriving.tuple] = std::move(gate);
}

void IntermediateDriver::activate(const FourTuple& tuple, Instant now) {
  Gate& gate = *gates_.at(tuple);
  MIGD_CHECK(gate.phase == Phase::kTargetAttached);
  gate.phase = Phase::kTargetAwaitingBarrier;
  Passing held;
  held.tuple = tuple;
  for (Frame& frame : gate.stragglers.take())
    to_stack(std::move(frame), held, now);
  wheel_.arm(gate, now + kBarrierPatience);
  open_gate(gate, now);
}

void IntermediateDriver::on_barrier(const FourTuple& tuple, bool quiet, Instant now) {
  const auto it = gates_.find(tuple);
  if (it == gates_.end()) return;
  Gate& gate = *it->second;
  gate.barrier_passed = true;
  gate.marked |= quiet;
  open_gate(gate, now);
}

bool IntermediateDriver::awaits_older(const FourTuple& tuple) const {
  const auto it = gates_.find(tuple);
  return it != gates_.end() && it->second->phase == Phase::kTargetAwaitingBarrier;
}

// As soon as nothing older can come.
void IntermediateDriver::open_gate(Gate& gate, Instant now) {
  if (gate.phase != Phase::kTargetAwaitingBarrier || !gate.barrier_passed) return;
  if (gate.marked) return release_direct(gate, now);
  wheel_.arm(gate, now + kMarkPatience);
}

void IntermediateDriver::release_direct(Gate& gate, Instant now) {
  Passing held;
  held.tuple = gate.tuple;
  std::vector<Frame> frames = gate.direct.take();
  gates_.erase(held.tuple);  // `gate` is gone from here on
  for (Frame& frame : frames)
    to_stack(std::move(frame), held, now);
}

void IntermediateDriver::return_to_source(const FourTuple& tuple, const Reference& source,
                                          Instant now) {
  const auto it = gates_.find(tuple);
  if (it == gates_.end()) return;
  const std::unique_ptr<Gate> gate = std::move(it->second);
  gates_.erase(it);
  for (HoldQueue* queue : {&gate->stragglers, &gate->direct}) {  // the older ones first
    for (Frame& frame : queue->take())
      send_straggler(std::move(frame), source, 0);
  }
  bury(tuple, source, now);  // what the forwarder still sends here follows
}

// ---- tombstones ----

void IntermediateDriver::bury(const FourTuple& tuple, const Reference& to, Instant now) {
  while (tombstones_.size() >= kTombstonesMax) {
    tombstones_.erase(tombstone_expiry_.front().second);  // the oldest makes room
    tombstone_expiry_.pop_front();
  }
  const Instant expires = now + limits::kTombstoneLifetime;
  tombstones_.put(tuple, {to, expires, {}, {}, {}});
  tombstone_expiry_.emplace_back(expires, tuple);
}

const IntermediateDriver::Tombstone* IntermediateDriver::tombstone(const FourTuple& tuple) const {
  return tombstones_.find(tuple);
}

IntermediateDriver::Tombstone* IntermediateDriver::live_tombstone(const FourTuple& tuple,
                                                                  Instant now) {
  Tombstone* const stone = tombstones_.find(tuple);
  return stone == nullptr || stone->expires <= now ? nullptr : stone;
}

void IntermediateDriver::for_each_tombstone(
    const std::function<void(const FourTuple&, const Tombstone&)>& visit) const {
  tombstones_.for_each(visit);
}

// ---- time ----

Instant IntermediateDriver::next_deadline() const {
  Instant next = std::min(wheel_.next_deadline(), tunnel_.next_deadline());
  if (!orphans_.empty()) next = std::min(next, orphans_.front().expires);
  if (!tombstone_expiry_.empty()) next = std::min(next, tombstone_expiry_.front().first);
  return next;
}

void IntermediateDriver::on_deadline(Instant now) {
  tunnel_.on_deadline(now);
  while (TimerWheel::Node* node = wheel_.pop_expired(now)) {
    release_direct(static_cast<Gate&>(*node), now);
  }
  while (!orphans_.empty() && orphans_.front().expires <= now) {
    orphan_charge_ -= orphans_.front().frame.charge();
    orphans_.pop_front();
    drops_.count(DropReason::kUnknownFlowId);
  }
  while (!tombstone_expiry_.empty() && tombstone_expiry_.front().first <= now) {
    const FourTuple& tuple = tombstone_expiry_.front().second;
    const Tombstone* const stone = tombstones_.find(tuple);
    // A tuple that was buried again meanwhile has a later entry of its own.
    if (stone != nullptr && stone->expires <= now) tombstones_.erase(tuple);
    tombstone_expiry_.pop_front();
  }
}

}  // namespace migd
