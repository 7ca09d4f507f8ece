#include "tests/sim/check/survival.h"

#include <fmt/format.h>

namespace migd::sim {

Survival::Life* Survival::find(const ConnectionId& connection) {
  const auto found = lives_.find(connection);
  return found == lives_.end() ? nullptr : &found->second;
}

void Survival::on_message(PortId node, Instant /*at*/, const Message& message) {
  dead_.erase(node);
  if (const auto* opened = std::get_if<ConnectionOpened>(&message)) {
    Life life;
    life.tuple = opened->tuple;
    life.holder = node;
    lives_[opened->connection] = life;
    latest_[opened->tuple.peer] = opened->connection;
  } else if (const auto* request = std::get_if<MigrationRequest>(&message)) {
    if (request->target != NodeId{}) wanted_[request->connection].push_back(request->target);
  } else if (const auto* reached = std::get_if<MigrationStageReached>(&message)) {
    on_stage(node, *reached);
  } else if (const auto* finished = std::get_if<MigrationFinished>(&message)) {
    if (!finished->stage_at[static_cast<std::size_t>(Stage::kRequested)]) {
      refused_at_once(*finished);
    }
    Life* life = find(finished->tenure.connection);
    if (life == nullptr || finished->outcome == MigrationOutcome::kCompleted) return;
    if (life->holder == node) life->target.reset();
  } else if (const auto* closed = std::get_if<ConnectionClosed>(&message)) {
    Life* life = find(closed->tenure.connection);
    if (life != nullptr && life->holder == node) life->ended = migd::to_string(closed->reason);
  }
}

// Requests are looked at in their order.
NodeId Survival::next_wanted(const ConnectionId& connection) {
  std::deque<NodeId>& all = wanted_[connection];
  if (all.empty()) return {};
  const NodeId first = all.front();
  all.pop_front();
  return first;
}

void Survival::refused_at_once(const MigrationFinished& finished) {
  std::deque<NodeId>& all = wanted_[finished.tenure.connection];
  if (!all.empty() && all.front() == finished.target) all.pop_front();
}

void Survival::on_stage(PortId node, const MigrationStageReached& reached) {
  Life* life = find(reached.tenure.connection);
  if (life == nullptr) return;
  if (reached.stage == Stage::kRequested) life->asked = next_wanted(reached.tenure.connection);
  if (reached.stage == Stage::kGranted && node == life->holder && life->asked != NodeId{}) {
    life->target = ports_.at(life->asked);
    life->granted = reached.tenure.epoch;
    life->grant_arrived = life->holder_died = false;
    if (dead_.contains(*life->target)) life->died = true;
  } else if (reached.stage == Stage::kActivated && life->target == node &&
             life->granted == reached.tenure.epoch) {  // the source of an earlier move says so too
    life->holder = node;
    life->target.reset();
    life->holder_died = false;
  }
}

void Survival::on_arrival(PortId /*node*/, Instant /*at*/, wire::Kind kind, ByteView head) {
  if (kind != wire::Kind::kGrant && kind != wire::Kind::kState) return;
  const auto message = wire::parse(static_cast<std::uint8_t>(kind), head);
  if (!message) return;
  if (const auto* grant = std::get_if<wire::Grant>(&*message)) on_grant(grant->tenure);
  const auto* state = std::get_if<wire::State>(&*message);
  if (state != nullptr && state->granted) on_grant(state->tenure);
}

void Survival::on_grant(const Tenure& tenure) {
  Life* life = find(tenure.connection);
  if (life != nullptr && life->target && life->granted == tenure.epoch) life->grant_arrived = true;
}

void Survival::on_crash(PortId node, Instant /*at*/) {
  dead_.insert(node);
  for (auto& [connection, life] : lives_) {
    if (life.target == node) {
      life.died = true;
    } else if (life.holder == node) {
      wanted_.erase(connection);
      (life.target ? life.holder_died : life.died) = true;
    }
  }
}

Survival::Fate Survival::fate(const Endpoint& client) const {
  const auto found = latest_.find(client);
  if (found == latest_.end()) return Fate::kNotOpened;
  const Life& life = lives_.at(found->second);
  if (life.died || (life.holder_died && !life.grant_arrived)) return Fate::kDied;
  return life.ended.empty() ? Fate::kAlive : Fate::kEnded;
}

void Survival::on_stuck(const Endpoint& client, Instant at, const std::string& progress) {
  switch (fate(client)) {
    case Fate::kDied:
      return;
    case Fate::kNotOpened:
      return report(at, "nobody answered " + progress);
    case Fate::kAlive:
      return report(at, "its state lives, but it waits in vain: " + progress);
    case Fate::kEnded:
      return report(at, fmt::format("its connection ended ({}), but it waits: {}",
                                    lives_.at(latest_.at(client)).ended, progress));
  }
}

}  // namespace migd::sim
