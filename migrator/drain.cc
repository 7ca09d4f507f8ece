#include "migrator/drain.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "forwarder/node_selection.h"

namespace migd {
namespace {

constexpr std::size_t kStateBytes = 1024;  // of an idle connection, about
constexpr std::size_t kReasonsMax = 64;    // told apart; the others are "other"

std::size_t bytes_of(const Connection& connection) {
  return kStateBytes + connection.unsent() + connection.unacknowledged() + connection.readable();
}

void note(const Blockers& found, std::map<std::string, std::uint32_t>& counts) {
  for (const std::string_view name : found.names())
    ++counts[std::string(name)];
}

bool contains(const std::vector<NodeId>& nodes, NodeId node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

}  // namespace

std::string_view to_string(DrainState state) {
  switch (state) {
    case DrainState::kNone:
      return "none";
    case DrainState::kRunning:
      return "running";
    case DrainState::kDone:
      return "done";
    case DrainState::kLeft:
      return "left";
    case DrainState::kDeadline:
      return "deadline";
    case DrainState::kStopped:
      return "stopped";
  }
  check_failed("DrainState is known", __FILE__, __LINE__);
}

Drain::Drain(const Parts& parts, Instant now) : parts_(parts), now_(now) {
  parts_.bus.subscribe<MigrationFinished>([this](const MigrationFinished& m) { on_finished(m); });
}

void Drain::start(DrainTerms terms, Instant now) {
  terms_ = std::move(terms);
  state_ = DrainState::kRunning;
  now_ = started_ = next_look_ = next_move_ = now;
  waiting_.clear();
  refused_.clear();
  refusals_.clear();
  moved_ = 0;
  for (auto& [node, load] : loads_)
    load.given = 0;
}

void Drain::stop(Instant now) {
  if (state_ == DrainState::kRunning) finish(DrainState::kStopped, now);
}

void Drain::finish(DrainState state, Instant now) {
  state_ = state;
  ended_ = now;
  waiting_.clear();
  refused_.clear();
}

DrainReport Drain::report() const {
  DrainReport report{state_, moved_, refusals_, static_cast<std::uint32_t>(moving_.size()),
                     0,      {},     {}};
  if (state_ == DrainState::kNone) return report;
  report.left = parts_.stack.counts().total;
  report.took = (state_ == DrainState::kRunning ? now_ : ended_) - started_;
  if (state_ == DrainState::kRunning) {  // no walk over all of them, for they wait for whoever asks
    report.blocked = blocked_;
    const Blockers moving = Blocker::kMoving;
    if (!moving_.empty()) report.blocked[moving.to_string()] += report.under_way;
    return report;
  }
  parts_.stack.for_each([&](const Connection& connection) {
    note(parts_.migrator.blockers(connection), report.blocked);
  });
  return report;
}

// ---- who moves where ----

void Drain::poll(Instant now) {
  now_ = now;
  if (state_ != DrainState::kRunning) return;
  if (now >= started_ + terms_.timeout) return finish(DrainState::kDeadline, now);
  if (waiting_.empty() && now >= next_look_) look(now);
  while (!waiting_.empty() && now >= next_move_ && try_next(now)) {
  }
  if (!waiting_.empty() || !moving_.empty()) return;
  const std::size_t left = parts_.stack.counts().total;
  if (left == 0) {
    finish(DrainState::kDone, now);
  } else if (hopeless_ == left) {
    finish(DrainState::kLeft, now);
  }
}

void Drain::look(Instant now) {
  next_look_ = now + std::max<Duration>(kLookAgain, kLookAtOne * parts_.stack.counts().total);
  hopeless_ = 0;
  blocked_.clear();
  std::erase_if(refused_, [&](const auto& r) { return parts_.stack.find(r.first) == nullptr; });
  parts_.stack.for_each([&](const Connection& connection) {
    if (moving_.count(connection.id()) == 0) waiting_.push_back(connection.id());
  });
}

// The next one that waits: begun, or put off until the next look. False when it has to go on
// waiting, since its target has no room.
bool Drain::try_next(Instant now) {
  Connection* const connection = parts_.stack.find(waiting_.front());
  if (connection != nullptr && moving_.count(connection->id()) == 0) {
    if (candidates(*connection).empty()) {
      ++hopeless_;
    } else if (const Blockers found = parts_.migrator.blockers(*connection); !found.empty()) {
      note(found, blocked_);
    } else {
      if (const auto target = choose(*connection, now)) {
        if (!has_room(*target, bytes_of(*connection))) return false;
        begin(*connection, *target, now);
      }
    }
  }
  waiting_.pop_front();
  return true;
}

std::vector<NodeId> Drain::candidates(const Connection& connection) const {
  if (!terms_.targets.empty()) return terms_.targets;
  const auto service =
      std::find_if(parts_.services.begin(), parts_.services.end(),
                   [&](const ServiceOptions& s) { return s.name == connection.service(); });
  if (service == parts_.services.end()) return {};
  return nodes_beside(*service, connection.application(), parts_.self);
}

// Of those that are ready and have not refused it the one with the least to do for us.
std::optional<NodeId> Drain::choose(const Connection& connection, Instant now) {
  const auto refused = refused_.find(connection.id());
  if (refused != refused_.end() && refused->second.offer_again) {
    if (now < *refused->second.offer_again) return std::nullopt;
    refused->second = {};
  }
  std::optional<NodeId> best;
  bool ready = false;
  for (const NodeId node : candidates(connection)) {
    if (!parts_.health.ready(node)) continue;
    ready = true;
    if (refused != refused_.end() && contains(refused->second.by, node)) continue;
    const auto rank = [this](NodeId n) { return std::pair(loads_[n].moves, loads_[n].given); };
    if (!best || rank(node) < rank(*best)) best = node;
  }
  if (!best && ready) refused->second.offer_again = now + kOfferAgain;
  return best;
}

bool Drain::has_room(NodeId target, std::size_t bytes) const {
  const auto found = loads_.find(target);
  if (found == loads_.end() || found->second.moves == 0) return true;
  return found->second.moves < kMovesUnderWay && found->second.bytes + bytes <= kBytesUnderWay;
}

void Drain::begin(Connection& connection, NodeId target, Instant now) {
  const std::size_t bytes = bytes_of(connection);
  moving_[connection.id()] = {target, bytes};
  Load& load = loads_[target];
  ++load.moves;
  ++load.given;
  load.bytes += bytes;
  if (terms_.per_second > 0) {
    next_move_ = std::max(next_move_ + Duration(1s) / terms_.per_second, now - kBurst);
  }
  MigrationRequest request;
  request.connection = connection.id();
  request.target = target;
  request.asked_by = "drain";
  parts_.bus.post(std::move(request));
}

void Drain::on_finished(const MigrationFinished& message) {
  const ConnectionId& id = message.tenure.connection;
  const auto it = moving_.find(id);
  if (it == moving_.end() || it->second.target != message.target) return;
  Load& load = loads_[it->second.target];
  --load.moves;
  load.bytes -= it->second.bytes;
  moving_.erase(it);
  if (message.outcome == MigrationOutcome::kCompleted) {
    ++moved_;
    refused_.erase(id);
  } else if (state_ == DrainState::kRunning) {
    const bool known = refusals_.count(message.reason) > 0 || refusals_.size() < kReasonsMax;
    ++refusals_[known ? message.reason : "other"];
    refused_[id].by.push_back(message.target);
  }
}

// ---- time ----

Instant Drain::next_deadline() const {
  if (state_ != DrainState::kRunning) return kNever;
  const Instant end = started_ + terms_.timeout;
  if (waiting_.empty()) return std::min(end, next_look_);
  // One that waits for room is tried again when a move has ended, which is no matter of time.
  return next_move_ > now_ ? std::min(end, next_move_) : end;
}

}  // namespace migd
