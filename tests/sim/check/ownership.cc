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

void Ownership::on_segment(const SegmentSeen& seen) {
  if (!seen.to_client || seen.point != Crossing::Point::kSent) return;
  settle_doubts(seen.at);
  if (objection(seen.from, tenancy_of(seen.flow.tuple))) {
    doubts_.push_back({seen.at, seen.flow.tuple, seen.from, seen.segment.to_string()});
  }
}

void Ownership::on_message(PortId node, Instant at, const Message& message) {
  settle_doubts(at);
  if (const auto* opened = std::get_if<ConnectionOpened>(&message)) {
    tuples_[opened->connection] = opened->tuple;
    tenancies_[opened->tuple] = {opened->connection, Phase::kLive, Epoch{1}, node, {}};
  } else if (const auto* reached = std::get_if<MigrationStageReached>(&message)) {
    on_stage(node, at, *reached);
  } else if (const auto* finished = std::get_if<MigrationFinished>(&message)) {
    const auto tuple = tuples_.find(finished->tenure.connection);
    if (finished->outcome == MigrationOutcome::kCompleted || tuple == tuples_.end()) return;
    Tenancy& tenancy = tenancies_[tuple->second];
    if (tenancy.connection != finished->tenure.connection || tenancy.owner != node) return;
    tenancy.phase = Phase::kLive;
    tenancy.attached.clear();
  }
}

void Ownership::on_stage(PortId node, Instant at, const MigrationStageReached& reached) {
  const auto tuple = tuples_.find(reached.tenure.connection);
  if (tuple == tuples_.end()) {
    return on_disorder(at, "a stage of a connection that was never opened");
  }
  Tenancy& tenancy = tenancies_[tuple->second];
  if (tenancy.connection != reached.tenure.connection) return;  // the tuple is another's by now
  const auto wrong = [&](std::string_view what) {
    on_disorder(at,
                fmt::format("{}: {} reached {} of epoch {} while {} owns epoch {}", what,
                            node_name(node), to_string(reached.stage), reached.tenure.epoch.value,
                            node_name(tenancy.owner), tenancy.epoch.value));
  };
  switch (reached.stage) {
    case Stage::kFrozen:
      if (node != tenancy.owner || tenancy.phase != Phase::kLive) return wrong("not its to freeze");
      tenancy.phase = Phase::kFrozen;
      tenancy.attached.clear();
      return;
    case Stage::kAttached:
      if (reached.tenure.epoch > tenancy.epoch) tenancy.attached.insert(node);
      return;
    case Stage::kGranted:
      if (node != tenancy.owner || tenancy.phase != Phase::kFrozen)
        return wrong("not its to grant");
      tenancy.phase = Phase::kGranted;
      return;
    case Stage::kActivated:
      if (tenancy.phase != Phase::kGranted) wrong("active without a GRANT");
      tenancy = {tenancy.connection, Phase::kLive, reached.tenure.epoch, node, {}};
      return;
    case Stage::kRequested:
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
    case Phase::kGranted:
      if (tenancy->attached.contains(speaker)) return std::nullopt;
      return fmt::format("{} speaks after {} granted epoch {}", node_name(speaker), owner,
                         tenancy->epoch.value + 1);
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
