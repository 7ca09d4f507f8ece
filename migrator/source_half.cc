#include "migrator/source_half.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "migrator/readiness.h"

namespace migd {
namespace {

// How long a granted, unanswered migration keeps the parked PCB, and how long a finished one waits
// for the barrier that it has to pass on.
constexpr Duration kGrantedPatience = limits::kTombstoneLifetime;
constexpr Duration kReleasedPatience = 1s;
// GRANT is said again this often: the channel may have had no room for it, or for its answer.
constexpr Duration kGrantAgain = 1s;

// Settling: up to this round trip, for so long, until so little would have to travel.
constexpr Duration kSettlingRoundTrip = 1ms;
constexpr Duration kSettlingPatience = 20ms;  // what drains flows: nobody waits
constexpr std::size_t kSettledBytes = 16u << 10;

// A held connection's target is asked this often, and whenever it comes up.
constexpr Duration kHoldAskAgain = 500ms;

// A state of up to this size leaves with its GRANT: a few datagrams, on their way at once.
constexpr std::size_t kGrantRidesWithin = 32u << 10;

const std::string kGone = "no such connection here";

std::size_t to_carry(const Connection& connection) {
  return connection.unsent() + connection.unacknowledged() + connection.readable();
}

bool has_drained(const Connection& connection, MigrationMode mode) {
  if (mode == MigrationMode::kDrain) {
    return connection.unsent() + connection.unacknowledged() == 0;
  }
  // Not the smoothed one: what waits in queues on the way flows on while this side is silent.
  const Duration round_trip = connection.least_rtt();
  return to_carry(connection) <= kSettledBytes || round_trip == Duration::zero() ||
         round_trip > kSettlingRoundTrip;
}

// What may still come while the connection is held.
Blockers patience_of(const MigrationRequest& request) {
  if (request.terms.mode != MigrationMode::kHold) return {};
  return Blocker::kTargetDown | Blocker::kNoForwarder;
}

}  // namespace

SourceHalf::SourceHalf(MigratorEnvironment& environment, Instant now)
    : env_(environment),
      freeze_times_(environment.metrics.histogram(kFreezeHistogram)),
      wheel_(now) {
  for (std::size_t i = 0; i < kStageCount; ++i) {
    stage_times_[i] =
        &environment.metrics.histogram("migd_migration_stage_microseconds{stage=\"" +
                                       std::string(to_string(static_cast<Stage>(i))) + "\"}");
  }
}

void SourceHalf::set_handover(const ConnectionId& connection, Shim::Handover handover) {
  handovers_[connection] = std::move(handover);
}

// ---- kRequested ----

Blockers SourceHalf::blockers(const Connection& connection, const MigrationRequest& wish) const {
  Blockers found = readiness(env_, connection, wish);
  if (moving(connection.id())) found |= Blocker::kMoving;
  return found;
}

// It arrives without an application, and waits for one.
bool SourceHalf::stays_unbound(const MigrationRequest& request,
                               const Connection& connection) const {
  if (request.terms.unbound) return true;
  const auto record = env_.records.find(connection.id());
  return request.terms.application.empty() && record != env_.records.end() && record->second.kept;
}

void SourceHalf::refuse(const MigrationRequest& request, const Blockers& blockers) {
  env_.count_refusal(blockers);
  report_refused(request, blockers.to_string());
}

void SourceHalf::refuse(const MigrationRequest& request, const std::string& reason) {
  env_.count_refusal(reason);
  report_refused(request, reason);
}

void SourceHalf::report_refused(const MigrationRequest& request, const std::string& reason) {
  MigrationFinished finished;
  finished.request = request.request;
  finished.tenure.connection = request.connection;
  if (const Connection* connection = env_.stack.find(request.connection)) {
    finished.tenure.epoch = connection->epoch();
  }
  finished.source = env_.options.self;
  finished.target = request.target;
  finished.outcome = MigrationOutcome::kRefused;
  finished.reason = reason;
  env_.bus.post(std::move(finished));
}

void SourceHalf::start(const MigrationRequest& request, Instant now) {
  Connection* connection = env_.stack.find(request.connection);
  const auto handover = handovers_.find(request.connection);
  auto m = std::make_unique<Outgoing>();
  m->request = request;
  m->handover.application = request.terms.application;
  m->handover.unbound = request.terms.unbound;
  if (handover != handovers_.end()) {
    m->handover = std::move(handover->second);
    handovers_.erase(handover);
  }
  if (connection == nullptr) return refuse(request, kGone);
  if (const Blockers found = blockers(*connection, request).without(patience_of(request));
      !found.empty()) {
    return refuse(request, found);
  }
  m->tuple = connection->tuple();
  m->tenure = {request.connection, Epoch{connection->epoch().value + 1}};
  m->started = now;
  m->give_up = now + request.terms.timeout;
  Outgoing& moving = *m;
  outgoing_.put(moving.tenure, std::move(m));
  reach(moving, Stage::kRequested, now);
  if (moving.handover.state) return freeze(moving, *connection, now);
  if (moving.holds()) return hold(moving, *connection, now);
  if (!env_.options.prepare) return settle(moving, *connection, now);
  wheel_.arm(moving, now + std::min(request.terms.timeout, env_.options.timeout));
  if (!ask(moving, *connection, now)) withdraw(moving, Blockers(Blocker::kTargetDown));
}

// PREPARE
bool SourceHalf::ask(const Outgoing& m, const Connection& connection, Instant now) {
  std::string application =
      m.request.terms.application.empty() ? connection.application() : m.request.terms.application;
  const bool kept = connection.application_done() || stays_unbound(m.request, connection);
  if (kept) application.clear();  // the target need not know it
  return env_.send(m.request.target, wire::Prepare{m.tenure, m.tuple, kept, application}, now);
}

// Its owner is this node, alive, until the target has promised; also again after a promise that
// came to nothing. The client is held by what the stack says by itself when nobody reads.
void SourceHalf::hold(Outgoing& m, Connection& connection, Instant now) {
  std::erase(settling_, m.tenure);
  m.stage = Stage::kRequested;
  m.promised = false;
  connection.pause_reading(true);
  connection.pause_writing(true);
  wheel_.arm(m, std::min(m.give_up, now + kHoldAskAgain));
  ask(m, connection, now);  // nobody hears it while the target is down
}

void SourceHalf::hold_on(Outgoing& m, Instant now) {
  Connection* const connection = env_.stack.find(m.tenure.connection);
  if (connection == nullptr) return withdraw(m, kGone);
  if (now >= m.give_up) return withdraw(m, std::string("timed_out"));
  hold(m, *connection, now);
}

// ---- kPrepared ----

void SourceHalf::on_promise(const wire::Promise& message, NodeId from, Instant now) {
  Outgoing* const m = outgoing_.find(message.tenure);
  if (m == nullptr || m->stage != Stage::kRequested || from != m->request.target) return;
  if (!message.reason.empty()) return withdraw(*m, message.reason);
  Connection* const connection = env_.stack.find(message.tenure.connection);
  if (!still_fit(*m, connection)) return;
  m->promised = env_.options.prepare;
  reach(*m, Stage::kPrepared, now);
  settle(*m, *connection, now);
}

void SourceHalf::settle(Outgoing& m, Connection& connection, Instant now) {
  const MigrationMode mode = m.request.terms.mode;
  if (!has_drained(connection, mode)) connection.pause_writing(true);
  settling_.push_back(m.tenure);  // poll() comes when the applications have read what is there
  wheel_.arm(m, mode == MigrationMode::kDrain ? m.give_up : now + kSettlingPatience);
}

// It will be frozen when its patience ends; anything else that waits before the freeze is given up.
bool SourceHalf::settles_by_itself(const Outgoing& m) const {
  const bool asked = m.stage == Stage::kRequested && env_.options.prepare;
  return !asked && m.request.terms.mode != MigrationMode::kDrain;
}

bool SourceHalf::moving(const ConnectionId& connection) const {
  // It came back before it could leave again, so all but the latest are released.
  const Outgoing* const latest = outgoing_.latest(connection);
  return latest != nullptr && latest->stage < Stage::kReleased;
}

void SourceHalf::poll(Instant now) {
  std::vector<Tenure> settled;
  for (const Tenure& tenure : settling_) {
    const Outgoing& m = *outgoing_.find(tenure);
    const Connection* connection = env_.stack.find(tenure.connection);
    // What an earlier owner still passes on here would come behind what goes on from here.
    const bool complete = !env_.driver.awaits_older(m.tuple);
    if (connection == nullptr || (complete && has_drained(*connection, m.request.terms.mode))) {
      settled.push_back(tenure);
    }
  }
  for (const Tenure& tenure : settled)
    stop_settling(tenure, now);
}

void SourceHalf::stop_settling(const Tenure& tenure, Instant now) {
  std::erase(settling_, tenure);
  Outgoing& m = *outgoing_.find(tenure);
  Connection* const connection = env_.stack.find(tenure.connection);
  if (still_fit(m, connection)) freeze(m, *connection, now);
}

// Much may have happened since the connection was found fit to move; false when it ends here.
bool SourceHalf::still_fit(Outgoing& m, const Connection* connection) {
  if (connection == nullptr) {
    withdraw(m, kGone);
    return false;
  }
  const Blockers found = readiness(env_, *connection, m.request);  // moving: by others
  if (!found.empty()) withdraw(m, found);
  return found.empty();
}

// Nothing has been done yet that anybody could notice.
template <typename Reason>
void SourceHalf::withdraw(Outgoing& m, const Reason& reason) {
  std::erase(settling_, m.tenure);
  Connection* const connection = env_.stack.find(m.tenure.connection);
  if (connection != nullptr) {
    connection->pause_reading(false);
    connection->pause_writing(false);
  }
  const std::unique_ptr<Outgoing> ended = outgoing_.take(m.tenure);
  refuse(ended->request, reason);
}

// ---- kFrozen, kSent ----

void SourceHalf::freeze(Outgoing& m, Connection& connection, Instant now) {
  if (const Result<void> way = choose_way(m); !way) return withdraw(m, way.error().text);
  m.frozen.emplace(env_.shim.freeze(connection, now));
  env_.driver.hold_at_source(m.tuple, connection.receive_window());
  reach(m, Stage::kFrozen, now);
  if (const Result<void> sent = send_state(m, now); !sent) {
    return roll_back(m, sent.error().text, MigrationOutcome::kRefused, now);
  }
  if (m.rides) return grant(m, now);
  wheel_.arm(m, now + std::min(m.request.terms.timeout, env_.options.timeout));
}

// The forwarder whose mapping has to change, and a flow identifier of its leases.
Result<void> SourceHalf::choose_way(Outgoing& m) {
  m.forwarder = env_.forwarder_of(m.tenure.connection);
  const bool relayed = m.forwarder != env_.options.self && m.forwarder != m.request.target;
  m.way = relayed ? m.forwarder : m.request.target;
  const std::optional<FlowId> flow = env_.flow_ids.take(m.forwarder);
  if (!flow) return fail(ErrorCode::kBusy, "no_flow_identifier");
  m.flow = *flow;
  m.own_flow = env_.flow_ids.take(env_.options.self).value_or(FlowId{});
  return {};
}

// As far as it is known here and now; the target completes it.
PastMove SourceHalf::this_move(const Outgoing& m, Instant now) const {
  PastMove move;
  move.from = env_.options.self;
  move.to = m.request.target;
  move.forwarder = m.forwarder;
  move.epoch = m.tenure.epoch;
  move.asked_by = m.request.asked_by;
  move.mode = m.request.terms.mode;
  move.prepared = *m.stage_at[static_cast<std::size_t>(Stage::kFrozen)];
  move.at_source = frozen_for(m, now);
  return move;
}

Duration SourceHalf::frozen_for(const Outgoing& m, Instant now) {
  return now - m.started - *m.stage_at[static_cast<std::size_t>(Stage::kFrozen)];
}

Result<Bytes> SourceHalf::bundle(Outgoing& m, Instant now) const {
  const ConnectionRecord& record = env_.records[m.tenure.connection];
  Result<ConnectionBlob> blob =
      env_.shim.compile(*m.frozen, m.handover, record, m.tenure, env_.options.self, now);
  if (!blob) return tl::unexpected(blob.error());
  if (blob->application_state.size() > limits::kApplicationStateMax) {
    return fail(ErrorCode::kTooLarge, Blockers(Blocker::kBlobTooLarge).to_string());
  }
  blob->history = history_of(record, m.frozen->connection(), now);
  blob->history.add(this_move(m, now));
  m.forwarded = blob->forwarded.has_value();
  Bytes bytes = encode_blob(*blob);
  if (bytes.size() > limits::kBlobMax) {
    return fail(ErrorCode::kTooLarge, Blockers(Blocker::kBlobTooLarge).to_string());
  }
  m.blob_bytes = static_cast<std::uint32_t>(bytes.size());
  return bytes;
}

// The first time, and again by another way, or over a new session: the same tenure, and still
// granted if it was.
Result<void> SourceHalf::send_state(Outgoing& m, Instant now) {
  const Result<Bytes> blob = bundle(m, now);
  if (!blob) return tl::unexpected(blob.error());
  if (m.stage == Stage::kFrozen) {
    m.rides = m.promised && m.own_flow != FlowId{} && blob->size() <= kGrantRidesWithin;
    m.target_boot = env_.channel.peer_boot(m.request.target);
  }
  const NodeId target = m.request.target;
  const wire::Message state =
      wire::State{m.tenure,   env_.options.self, target,      m.forwarder, m.flow,
                  m.own_flow, m.rides,           m.forwarded, m.tuple};
  const auto kind = static_cast<std::uint8_t>(wire::Kind::kState);
  const Bytes head = wire::serialize(state);
  Result<void> sent = m.way == target
                          ? env_.channel.send(target, kind, head, *blob, now)
                          : env_.channel.send_via(m.way, target, kind, head, *blob, now);
  if (!sent || m.stage != Stage::kFrozen) return sent;
  reach(m, Stage::kSent, now);
  if (m.forwarder == env_.options.self) {
    // We are the forwarder: from here on packets go to the target, and none is on an older way
    // but what is held here.
    env_.bus.post(MappingRequest{m.tuple, m.tenure, target, m.flow, m.forwarder});
    m.barrier = wire::Barrier{m.tenure, m.forwarder, env_.options.boot, /*quiet=*/true};
    reach(m, Stage::kMapped, now);
  }
  return {};
}

// ---- kGranted: the point of no return ----

void SourceHalf::on_ready(const wire::Ready& message, NodeId from, Instant now) {
  Outgoing* m = outgoing_.find(message.tenure);
  // Rolled back meanwhile, and the ABORT was lost with its session.
  if (m == nullptr || m->stage < Stage::kSent) {
    env_.send(from, wire::Abort{message.tenure, "rolled_back"}, now);
    return;
  }
  if (from != m->request.target) return;
  if (m->stage == Stage::kGranted || m->stage == Stage::kReleased) {
    return say_granted(*m, now);  // it has not seen ours
  }
  reach(*m, Stage::kAttached, now);
  grant(*m, now);
}

void SourceHalf::grant(Outgoing& m, Instant now) {
  // In this order on the way to the target: stragglers, the barrier behind them, the grant, unless
  // it has left with STATE.
  env_.driver.pass_on(m.tuple, reference_of(m), now);
  m.stage = Stage::kGranted;
  pass_barrier(m, now);
  if (!m.rides) say_granted(m, now);
  reach(m, Stage::kGranted, now);
  m.give_up = now + kGrantedPatience;
  wheel_.arm(m, now + kGrantAgain);
}

void SourceHalf::say_granted(const Outgoing& m, Instant now) {
  env_.send(m.request.target, wire::Grant{m.tenure, frozen_for(m, now)}, now);
}

bool SourceHalf::on_barrier(const wire::Barrier& message, Instant now) {
  Outgoing* m = outgoing_.find(message.tenure);
  if (m == nullptr || m->stage < Stage::kSent) return false;
  if (m->barrier) return true;
  m->barrier = message;
  if (m->stage != Stage::kReleased) reach(*m, Stage::kMapped, now);
  if (m->stage != Stage::kSent) pass_barrier(*m, now);
  return true;
}

// Of no boot when STATE went straight: a forwarder that hears later than we that the target has
// restarted forgets what it has mapped to the earlier boot, and the mapping of this move with it.
// Not quiet any more when packets were held here: they may be on their way to the target yet.
void SourceHalf::pass_barrier(Outgoing& m, Instant now) {
  if (!m.barrier) return;
  wire::Barrier barrier = *m.barrier;
  if (m.straight) barrier.boot = Boot{};
  if (barrier.quiet && !env_.driver.has_passed_nothing(m.tuple)) {
    barrier.quiet = false;
    env_.driver.mark_end(m.tuple, reference_of(m));
  }
  env_.send(m.request.target, barrier, now);
}

// ---- kReleased ----

void SourceHalf::on_active(const wire::Active& message, NodeId from, Instant now) {
  Outgoing* m = outgoing_.find(message.tenure);
  if (m == nullptr || from != m->request.target || m->stage != Stage::kGranted) return;
  release(*m, now);
}

void SourceHalf::on_superseded(const ConnectionId& connection, Epoch by, Instant now) {
  // The latest first: below one that is released, all are.
  outgoing_.visit_down(connection, by, [&](Outgoing& m) {
    if (m.stage == Stage::kReleased) return false;
    if (m.stage == Stage::kGranted) release(m, now);
    return true;
  });
}

void SourceHalf::release(Outgoing& m, Instant now) {
  reach(m, Stage::kActivated, now);
  env_.driver.release_at_source(m.tuple);
  env_.shim.release(std::move(*m.frozen));
  m.frozen.reset();
  env_.records.erase(m.tenure.connection);
  env_.tunnel.unmap_inbound(m.tenure.connection);  // resolves for stragglers yet
  reach(m, Stage::kReleased, now);
  finish(m, MigrationOutcome::kCompleted, "", now);
  wheel_.arm(m, now + kReleasedPatience);
}

// ---- the ways back ----

void SourceHalf::on_refuse(const wire::Refuse& message, NodeId from, Instant now) {
  Outgoing* m = outgoing_.find(message.tenure);
  if (m == nullptr || from != m->request.target || !m->frozen) return;
  roll_back(*m, message.reason, MigrationOutcome::kRefused, now);
}

void SourceHalf::roll_back(Outgoing& m, const std::string& reason, MigrationOutcome outcome,
                           Instant now) {
  MIGD_CHECK(m.frozen.has_value());
  const bool left = m.stage >= Stage::kSent;
  const FourTuple tuple = m.tuple;
  Connection& connection = m.frozen->connection();
  if (left) {
    // Whoever holds the lower epoch is fenced off by the one under which we go on.
    connection.set_epoch(Epoch{m.tenure.epoch.value + 1});
    env_.send(m.request.target, wire::Abort{m.tenure, reason}, now);
    if (m.forwarder != NodeId{}) {
      env_.announce_owner(tuple, {m.tenure.connection, connection.epoch()}, m.forwarder, now);
    }
  }
  std::vector<Frame> held = env_.driver.take_back(tuple);
  env_.shim.thaw(std::move(*m.frozen), now);
  m.frozen.reset();
  for (Frame& frame : held) {
    env_.driver.deliver(std::move(frame), IntermediateDriver::Arrival::kStraggler, now);
  }
  env_.count_refusal(reason);
  const std::unique_ptr<Outgoing> ended = outgoing_.take(m.tenure);
  ended->tenure.epoch = connection.epoch();
  MigrationRequest again = ended->request;
  const bool held_again =
      ended->holds() && outcome == MigrationOutcome::kAborted && now < ended->give_up;
  if (held_again) ended->request.request = 0;  // the asker goes on waiting
  finish(*ended, outcome, reason, now);
  if (!held_again) return;
  again.expected_epoch.reset();
  again.terms.timeout = ended->give_up - now;
  start(again, now);
}

void SourceHalf::on_session_down(NodeId peer, Instant now) {
  std::vector<Outgoing*> affected;
  outgoing_.for_each([&](const Tenure&, Outgoing& m) {
    if (m.stage <= Stage::kGranted && (peer == m.request.target || peer == m.way))
      affected.push_back(&m);
  });
  for (Outgoing* m : affected) {
    const bool target_lost = peer == m->request.target;
    if (m->stage < Stage::kFrozen) {
      if (!target_lost) continue;
      if (m->holds()) {
        hold_on(*m, now);
      } else {
        withdraw(*m, std::string("target_lost"));
      }
    } else if (target_lost && m->stage == Stage::kSent) {
      roll_back(*m, "target_lost", MigrationOutcome::kAborted, now);
    } else if (!target_lost) {
      go_straight(*m, now);
    }
  }
}

void SourceHalf::on_undeliverable(const Tenure& tenure, NodeId via, const std::string& reason,
                                  Instant now) {
  Outgoing* m = outgoing_.find(tenure);
  if (m == nullptr || m->stage < Stage::kSent || m->stage > Stage::kGranted || via != m->way)
    return;
  if (m->stage == Stage::kGranted ||
      (via != m->request.target && env_.channel.session_up(m->request.target))) {
    go_straight(*m, now);
  } else {
    roll_back(*m, reason, MigrationOutcome::kAborted, now);
  }
}

// The way is lost, the target is not: the same tenure again, without a forwarder between. The
// mapping follows when the forwarder is back. What is granted already waits for a session.
void SourceHalf::go_straight(Outgoing& m, Instant now) {
  if (m.stage == Stage::kGranted && !m.rides) return;
  m.way = m.request.target;
  m.straight = true;
  if (const Result<void> sent = send_state(m, now); !sent && m.stage == Stage::kSent) {
    return roll_back(m, sent.error().text, MigrationOutcome::kAborted, now);
  }
  if (m.stage == Stage::kGranted) pass_barrier(m, now);
}

void SourceHalf::on_session_up(NodeId peer, Boot boot, Instant now) {
  std::vector<Outgoing*> granted, held;
  outgoing_.for_each([&](const Tenure&, Outgoing& m) {
    if (m.request.target != peer) return;
    if (m.stage == Stage::kGranted) granted.push_back(&m);
    if (m.stage == Stage::kRequested && m.holds()) held.push_back(&m);
  });
  for (Outgoing* m : held)
    hold_on(*m, now);
  for (Outgoing* m : granted) {
    if (boot != m->target_boot) {
      release(*m, now);  // the owner died, and took the connection with it
    } else if (m->rides) {
      go_straight(*m, now);
    } else {
      say_granted(*m, now);
    }
  }
}

void SourceHalf::on_deadline(Instant now) {
  while (TimerWheel::Node* node = wheel_.pop_expired(now)) {
    auto& m = static_cast<Outgoing&>(*node);
    if (m.stage == Stage::kReleased) {
      outgoing_.take(m.tenure);
    } else if (m.stage == Stage::kGranted && now < m.give_up) {
      say_granted(m, now);
      wheel_.arm(m, std::min(m.give_up, now + kGrantAgain));
    } else if (m.stage == Stage::kGranted) {
      release(m, now);  // never answered: an owner that died
    } else if (m.stage == Stage::kRequested && m.holds()) {
      hold_on(m, now);
    } else if (m.stage < Stage::kFrozen && !settles_by_itself(m)) {
      withdraw(m, std::string("timed_out"));
    } else if (m.stage < Stage::kFrozen) {
      stop_settling(m.tenure, now);
    } else {
      roll_back(m, "timed_out", MigrationOutcome::kAborted, now);
    }
  }
}

// ---- reporting ----

void SourceHalf::reach(Outgoing& m, Stage stage, Instant now) {
  // kMapped is learnt from the barrier, which may come early or late.
  if (stage != Stage::kMapped) m.stage = stage;
  const Duration since = now - m.started;
  m.stage_at[static_cast<std::size_t>(stage)] = since;
  env_.bus.post(MigrationStageReached{m.tenure, stage, since});
}

// The freeze, and each stage since the one before it.
void SourceHalf::measure(const Outgoing& m) {
  const auto at = [&m](Stage stage) { return m.stage_at[static_cast<std::size_t>(stage)]; };
  if (at(Stage::kActivated) && at(Stage::kFrozen)) {
    freeze_times_.record(*at(Stage::kActivated) - *at(Stage::kFrozen));
  }
  Duration before{};
  for (std::size_t i = 0; i < kStageCount; ++i) {
    if (!m.stage_at[i]) continue;
    const Duration took = std::max<Duration>(*m.stage_at[i] - before, Duration::zero());
    before = std::max(before, *m.stage_at[i]);
    stage_times_[i]->record(took);
  }
}

void SourceHalf::finish(const Outgoing& m, MigrationOutcome outcome, const std::string& reason,
                        Instant) {
  MigrationFinished finished;
  finished.request = m.request.request;
  finished.tenure = m.tenure;
  finished.source = env_.options.self;
  finished.target = m.request.target;
  finished.outcome = outcome;
  finished.reason = reason;
  finished.blob_bytes = m.blob_bytes;
  finished.stage_at = m.stage_at;
  if (outcome == MigrationOutcome::kCompleted) measure(m);
  env_.bus.post(std::move(finished));
}

}  // namespace migd
