#include "tests/sim/check/ownership.h"

#include <fmt/format.h>

#include <utility>

namespace migd::sim {

const Ownership::Tenancy* Ownership::tenancy_of(const FourTuple& tuple) const {
  const auto found = tenancies_.find(tuple);
  return found == tenancies_.end() ? nullptr : &found->second;
}

void Ownership::settle_doubts(Instant before) {
  std::erase_if(doubts_, [&](const Doubt& doubt) {
    if (doubt.at >= before) return false;
    if (const auto why = objection(doubt.speaker, tenancy_of(doubt.tuple))) {
      report(doubt.at, fmt::format("{}: {}", *why, doubt.segment));
    }
    return true;
  });
}

// It may have thawed, spoken and frozen again in one instant.
void Ownership::dispel_doubts(Instant at) {
  std::erase_if(doubts_, [&](const Doubt& doubt) {
    return doubt.at == at && !objection(doubt.speaker, tenancy_of(doubt.tuple));
  });
}

void Ownership::on_segment(const SegmentSeen& seen) {
  if (!seen.to_client || seen.point != Crossing::Point::kSent) return;
  settle_doubts(seen.at);
  const Tenancy* const tenancy = tenancy_of(seen.flow.tuple);
  // A SYN cookie: only its acknowledgment opens a connection.
  if (tenancy == nullptr && seen.segment.has(Segment::kSyn)) return;
  if (objection(seen.from, tenancy)) {
    doubts_.push_back({seen.at, seen.flow.tuple, seen.from, seen.segment.to_string()});
  }
}

void Ownership::on_message(PortId node, Instant at, const Message& message) {
  settle_doubts(at);
  if (const auto* opened = std::get_if<ConnectionOpened>(&message)) {
    tuples_[opened->connection] = opened->tuple;
    tenancies_[opened->tuple] = {opened->connection, Phase::kLive, Epoch{1}, node, {}, {}};
  } else if (const auto* reached = std::get_if<MigrationStageReached>(&message)) {
    on_stage(node, at, *reached);
  } else if (const auto* finished = std::get_if<MigrationFinished>(&message)) {
    on_finished(node, *finished);
  }
  dispel_doubts(at);
}

// Given up after the freeze: the source thaws, under an epoch that fences off what it had begun. A
// request that was refused before the freeze has changed nothing.
void Ownership::on_finished(PortId node, const MigrationFinished& finished) {
  const auto tuple = tuples_.find(finished.tenure.connection);
  const bool was_frozen = finished.stage_at[static_cast<std::size_t>(Stage::kFrozen)].has_value();
  if (finished.outcome == MigrationOutcome::kCompleted || !was_frozen) return;
  if (tuple == tuples_.end()) return;
  Tenancy& tenancy = tenancies_[tuple->second];
  if (tenancy.connection != finished.tenure.connection || tenancy.owner != node) return;
  tenancy.phase = Phase::kLive;
  tenancy.epoch = finished.tenure.epoch;
}

void Ownership::on_stage(PortId node, Instant at, const MigrationStageReached& reached) {
  const auto tuple = tuples_.find(reached.tenure.connection);
  if (tuple == tuples_.end()) {
    return on_disorder(at, "a stage of a connection that was never opened");
  }
  Tenancy& tenancy = tenancies_[tuple->second];
  const Epoch epoch = reached.tenure.epoch;
  if (tenancy.connection != reached.tenure.connection) return;  // the tuple is another's by now
  const auto wrong = [&](std::string_view what) {
    on_disorder(at, fmt::format("{}: {} reached {} of epoch {} while {} owns epoch {}", what,
                                node_name(node), to_string(reached.stage), epoch.value,
                                node_name(tenancy.owner), tenancy.epoch.value));
  };
  switch (reached.stage) {
    case Stage::kFrozen:
      if (node != tenancy.owner || tenancy.phase != Phase::kLive) return wrong("not its to freeze");
      tenancy.phase = Phase::kFrozen;
      return;
    case Stage::kAttached:
      tenancy.attached[node] = epoch;
      return;
    case Stage::kGranted:
      if (node != tenancy.owner || tenancy.phase != Phase::kFrozen)
        return wrong("not its to grant");
      tenancy.phase = Phase::kGranted;
      tenancy.granted = epoch;
      return;
    case Stage::kActivated:
      // The source says so as well, when it hears of it.
      if (node == tenancy.owner || epoch <= tenancy.epoch) return;
      if (tenancy.phase != Phase::kGranted || tenancy.granted != epoch) {
        wrong("active without a GRANT");
      }
      tenancy = {tenancy.connection, Phase::kLive, epoch, node, {}, tenancy.attached};
      return;
    case Stage::kRequested:
    case Stage::kPrepared:
    case Stage::kSent:
    case Stage::kMapped:
    case Stage::kReleased:
      return;
  }
}

void Ownership::at_end(Instant at) {
  settle_doubts(at + 1h);
}

std::optional<std::string> OneOwner::objection(PortId speaker, const Tenancy* tenancy) const {
  if (tenancy == nullptr) return node_name(speaker) + " speaks for a connection nobody opened";
  const std::string owner = node_name(tenancy->owner);
  switch (tenancy->phase) {
    case Phase::kLive:
      if (speaker == tenancy->owner) return std::nullopt;
      return fmt::format("{} speaks, {} owns epoch {}", node_name(speaker), owner,
                         tenancy->epoch.value);
    case Phase::kFrozen:
      if (speaker == tenancy->owner) return std::nullopt;  // SilentSource's
      return fmt::format("{} speaks before GRANT, {} owns epoch {}", node_name(speaker), owner,
                         tenancy->epoch.value);
    case Phase::kGranted: {
      const auto ready = tenancy->attached.find(speaker);
      const bool granted = speaker != tenancy->owner && ready != tenancy->attached.end() &&
                           ready->second == tenancy->granted;
      if (granted) return std::nullopt;
      return fmt::format("{} speaks after {} granted epoch {}", node_name(speaker), owner,
                         tenancy->granted.value);
    }
  }
  return std::nullopt;
}

std::optional<std::string> SilentSource::objection(PortId speaker, const Tenancy* tenancy) const {
  if (tenancy == nullptr || tenancy->phase != Phase::kFrozen || speaker != tenancy->owner) {
    return std::nullopt;
  }
  return fmt::format("{} speaks although it froze the connection", node_name(speaker));
}

}  // namespace migd::sim
