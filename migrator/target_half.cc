#include "migrator/target_half.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace migd {
namespace {

// How long a decision is remembered, and how long an attached connection waits for a source that
// has gone silent: it may own the connection yet.
constexpr Duration kMemory = limits::kTombstoneLifetime;

// How long after its activation a connection's mapping is taken for granted: barriers need as long.
constexpr Duration kMappingPatience = 250ms;

bool is_vip(const std::vector<Endpoint>& vips, const Endpoint& local) {
  return std::find(vips.begin(), vips.end(), local) != vips.end();
}

ConnectionRecord record_of(const ConnectionBlob& blob, Instant now) {
  ConnectionRecord record;
  record.history = blob.history;
  record.as_of = now;
  auto& moves = record.history.moves;  // the latest is this one, unless the source knows none
  if (moves.empty() || moves.back().epoch != blob.tenure.epoch) {
    PastMove move;
    move.from = blob.source;
    move.epoch = blob.tenure.epoch;
    record.history.add(std::move(move));
  }
  if (blob.tcp.state == TcpState::kSynReceived) record.intended = blob.application;
  if (blob.forwarded && (blob.application.empty() || !record.intended.empty())) {
    record.kept = blob.forwarded->kept;
    record.forwarded = blob.forwarded->times;
  }
  record.suspended = blob.suspended;
  return record;
}

}  // namespace

TargetHalf::TargetHalf(MigratorEnvironment& environment, Instant now)
    : env_(environment), promises_(environment.stack, now), wheel_(now) {}

TargetHalf::Incoming& TargetHalf::expect(const Tenure& tenure, NodeId source, Instant now) {
  if (Incoming* const known = incoming_.find(tenure)) return *known;
  Incoming& made = incoming_.put(tenure, std::make_unique<Incoming>());
  made.tenure = tenure;
  made.source = source;
  wheel_.arm(made, now + kMemory);
  return made;
}

// ---- PREPARE ----

void TargetHalf::on_prepare(const wire::Prepare& message, NodeId from, Instant now) {
  std::string reason = fence(message.tenure, message.tuple);
  if (reason.empty()) {
    reason = env_.shim.objection(message.application, message.kept, message.tuple.local);
  }
  if (reason.empty() && !promises_.give(message.tenure, now)) reason = "target_full";
  if (!reason.empty()) env_.count_refusal(reason);
  env_.send(from, wire::Promise{message.tenure, reason}, now);
}

// ---- STATE ----

void TargetHalf::on_state(const wire::State& head, ByteView blob, Instant now) {
  promises_.end(head.tenure);
  Incoming& incoming = expect(head.tenure, head.source, now);
  if (incoming.source != head.source) return;
  if (incoming.verdict == Verdict::kAwaited) {
    incoming.arrival->head = head;
    incoming.arrival->blob_bytes = static_cast<std::uint32_t>(blob.size());
    receive(incoming, blob, now);
  } else if (head.granted && incoming.verdict == Verdict::kAttached) {
    activate(incoming, now);
  } else {
    answer_again(incoming, now);
  }
}

void TargetHalf::answer_again(Incoming& incoming, Instant now) {
  const Tenure& tenure = incoming.tenure;
  const NodeId source = incoming.source;
  switch (incoming.verdict) {
    case Verdict::kAwaited:
      return;
    case Verdict::kAttached:
      env_.send(source, wire::Ready{tenure}, now);
      return;
    case Verdict::kActivated:
      env_.send(source, wire::Active{tenure, {}}, now);
      return;
    case Verdict::kDeclined:
      env_.send(source, wire::Refuse{tenure, incoming.arrival->reason}, now);
      return;
  }
}

// Why this tenure must not begin here; empty when it may.
std::string TargetHalf::fence(const Tenure& tenure, const FourTuple& tuple) const {
  const ConnectionId& id = tenure.connection;
  if (const Connection* alive = env_.stack.find(id); alive != nullptr && !alive->frozen()) {
    return "exists_here";
  }
  const auto* stone = env_.driver.tombstone(tuple);
  if (stone != nullptr && stone->newest().tenure.connection == id &&
      stone->newest().tenure.epoch >= tenure.epoch) {
    return "stale_epoch";
  }
  // This tenure itself is in the map already; a higher one of the connection fences it off.
  if (incoming_.latest_epoch(id) > tenure.epoch) return "stale_epoch";
  if (const Connection* other = env_.stack.find(tuple); other != nullptr && other->id() != id) {
    return "tuple_in_use";
  }
  if (!is_vip(env_.options.vips, tuple.local)) return "address_not_ours";
  return env_.draining ? "target_draining" : "";
}

Result<ConnectionBlob> TargetHalf::open(const wire::State& head, ByteView bytes) const {
  Result<ConnectionBlob> blob = decode_blob(bytes);
  if (!blob) return blob;
  if (blob->tenure != head.tenure || blob->source != head.source || blob->tcp.tuple != head.tuple) {
    return fail(ErrorCode::kProtocol, "blob: head and blob disagree");
  }
  const ConnectionReference endpoint{head.tenure.connection, head.tuple, blob->tcp.send_next,
                                     blob->tcp.receive_next};
  if (blob->forwarded.has_value() != head.forwarded ||
      (head.forwarded && blob->forwarded->endpoint != endpoint)) {
    return fail(ErrorCode::kProtocol, "blob: it refers to another endpoint");
  }
  return blob;
}

void TargetHalf::receive(Incoming& incoming, ByteView bytes, Instant now) {
  Arrival& arrival = *incoming.arrival;
  const wire::State& head = arrival.head;
  map_inbound(head);
  if (const std::string fenced = fence(head.tenure, head.tuple); !fenced.empty()) {
    decline(incoming, fenced, now);
    return;
  }
  Result<ConnectionBlob> blob = open(head, bytes);
  if (!blob) {
    decline(incoming, blob.error().text, now);
    return;
  }
  Result<FrozenConnection> frozen = env_.shim.infuse(*blob, Duration::zero(), now);
  if (!frozen) {
    decline(incoming, frozen.error().text, now);
    return;
  }
  arrival.application = blob->application;
  arrival.record = record_of(*blob, now);
  complete(arrival);
  attach(incoming, std::move(*frozen), now);
}

// What the source could not know of this move.
void TargetHalf::complete(Arrival& arrival) const {
  const wire::State& head = arrival.head;
  PastMove& move = arrival.record.history.moves.back();
  move.to = env_.options.self;
  move.at_once = head.granted;
  move.blob_bytes = arrival.blob_bytes;
  move.crossing = env_.channel.round_trip(head.source) / 2;
  move.age = Duration::zero();
}

void TargetHalf::map_inbound(const wire::State& head) {
  if (head.own_flow != FlowId{}) {
    env_.tunnel.map_inbound(head.source, env_.channel.peer_boot(head.source), head.own_flow,
                            head.tuple, head.tenure.connection);
  }
  if (head.forwarder == env_.options.self) {
    env_.bus.post(
        MappingRequest{head.tuple, head.tenure, env_.options.self, head.flow, head.source});
  } else if (head.forwarder != NodeId{}) {
    env_.tunnel.map_inbound(head.forwarder, env_.channel.peer_boot(head.forwarder), head.flow,
                            head.tuple, head.tenure.connection);
  }
}

void TargetHalf::attach(Incoming& incoming, FrozenConnection frozen, Instant now) {
  Arrival& arrival = *incoming.arrival;
  const wire::State& head = arrival.head;
  incoming.verdict = Verdict::kAttached;
  arrival.frozen.emplace(std::move(frozen));
  arrival.attached_at = now;
  env_.driver.hold_at_target({head.tuple, head.tenure.epoch, head.source, head.forwarder, head.flow,
                              arrival.frozen->connection().receive_window(), arrival.barrier_passed,
                              arrival.quiet});
  env_.driver.adopt_orphans(now);
  env_.bus.post(MigrationStageReached{head.tenure, Stage::kAttached, {}});
  if (head.granted) {
    activate(incoming, now);
  } else {
    env_.send(head.source, wire::Ready{head.tenure}, now);
  }
}

void TargetHalf::decline(Incoming& incoming, const std::string& reason, Instant now) {
  const wire::State& head = incoming.arrival->head;
  incoming.verdict = Verdict::kDeclined;
  incoming.arrival->reason = reason;
  env_.count_refusal(reason);
  // What the forwarder has sent here already, and will until its mapping is set back, belongs to
  // the source. A connection that lives here under this very tuple keeps its packets.
  if (reason != "exists_here" && reason != "stale_epoch" && reason != "tuple_in_use") {
    env_.driver.refer(head.tuple, {head.tenure, head.source, FlowId{}}, now);
  }
  env_.driver.adopt_orphans(now);
  env_.send(head.source, wire::Refuse{head.tenure, reason}, now);
}

// ---- GRANT ----

void TargetHalf::on_grant(const wire::Grant& message, NodeId from, Instant now) {
  Incoming* const known = incoming_.find(message.tenure);
  if (known == nullptr) return;  // of an earlier boot: nothing true can be said about it
  Incoming& incoming = *known;
  if (from != incoming.source) return;
  if (incoming.verdict == Verdict::kAttached) {
    incoming.arrival->record.history.moves.back().at_source = message.held;
    activate(incoming, now);
  } else {
    answer_again(incoming, now);
  }
}

void TargetHalf::activate(Incoming& incoming, Instant now) {
  Arrival& arrival = *incoming.arrival;
  const wire::State& head = arrival.head;
  incoming.verdict = Verdict::kActivated;
  const Duration silent = now - arrival.attached_at;
  ConnectionRecord& record = env_.records[head.tenure.connection];
  record = std::move(arrival.record);
  record.forwarder = head.forwarder;
  record.history.moves.back().at_target = silent;
  for (PastMove& move : record.history.moves)
    move.age += silent;  // and the latest begins now
  record.history.moves.back().age = Duration::zero();
  record.as_of = now;

  env_.shim.activate(std::move(*arrival.frozen), now);
  arrival.frozen.reset();
  env_.driver.activate(head.tuple, now);
  env_.send(head.source, wire::Active{head.tenure, silent}, now);
  env_.urgent = true;
  env_.bus.post(MigrationStageReached{head.tenure, Stage::kActivated, silent});
  env_.bus.post(MigrationArrived{head.tenure, head.tuple, head.source, arrival.application,
                                 arrival.blob_bytes, silent});
  wheel_.arm(incoming, now + kMappingPatience);
}

// The barrier says that the forwarder has mapped the flow. One that has died since, or before its
// mapping, was told of all our connections when it came back, but not of one still on its way here.
void TargetHalf::confirm_mapping(const Arrival& arrival, Instant now) {
  const wire::State& head = arrival.head;
  if (head.forwarder == NodeId{} || head.forwarder == env_.options.self) return;
  if (arrival.mapped_by == env_.channel.peer_boot(head.forwarder)) return;
  const Connection* connection = env_.stack.find(head.tenure.connection);
  if (connection == nullptr || connection->frozen() || connection->epoch() != head.tenure.epoch) {
    return;  // it has ended, or moves on, and its mapping with it
  }
  env_.announce_owner(head.tuple, head.tenure, head.forwarder, now);
}

void TargetHalf::on_barrier(const wire::Barrier& message, NodeId from, Instant now) {
  Incoming& incoming = expect(message.tenure, from, now);  // it may overtake its STATE
  if (from != incoming.source || !incoming.arrival) return;
  Arrival& arrival = *incoming.arrival;
  arrival.barrier_passed = true;
  arrival.quiet |= message.quiet;
  arrival.mapped_by = message.boot;
  if (incoming.verdict == Verdict::kAttached || incoming.verdict == Verdict::kActivated) {
    env_.driver.on_barrier(arrival.head.tuple, arrival.quiet, now);
  }
}

// ---- the ways back ----

void TargetHalf::on_abort(const wire::Abort& message, NodeId from, Instant now) {
  Incoming* const known = incoming_.find(message.tenure);
  if (known == nullptr || from != known->source || known->verdict != Verdict::kAttached) return;
  known->verdict = Verdict::kDeclined;
  known->arrival->reason = message.reason;
  give_back(*known->arrival, now);
}

void TargetHalf::give_back(Arrival& arrival, Instant now) {
  const wire::State& head = arrival.head;
  env_.shim.release(std::move(*arrival.frozen));
  arrival.frozen.reset();
  env_.driver.return_to_source(head.tuple, {head.tenure, head.source, FlowId{}}, now);
}

void TargetHalf::on_session_up(NodeId peer, Instant now) {
  incoming_.for_each([&](const Tenure& tenure, const Incoming& incoming) {
    if (incoming.verdict == Verdict::kAttached && incoming.source == peer)
      env_.send(peer, wire::Ready{tenure}, now);  // its answer says what became of it
  });
}

void TargetHalf::on_deadline(Instant now) {
  promises_.on_deadline(now);
  while (TimerWheel::Node* node = wheel_.pop_expired(now)) {
    auto& incoming = static_cast<Incoming&>(*node);
    if (incoming.verdict == Verdict::kActivated && incoming.arrival) {
      confirm_mapping(*incoming.arrival, now);
      incoming.arrival.reset();
      wheel_.arm(incoming, now + kMemory);
      continue;
    }
    // The source has been silent for so long that it cannot own a live connection any more.
    if (incoming.verdict == Verdict::kAttached) give_back(*incoming.arrival, now);
    incoming_.take(incoming.tenure);
  }
}

}  // namespace migd
