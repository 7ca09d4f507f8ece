#include "tests/sim/check/resumption.h"

#include <fmt/format.h>

#include <algorithm>

namespace migd::sim {
namespace {

constexpr Duration kPatience = 5s;  // retransmissions of a lossy path included

}  // namespace

void Resumption::on_message(PortId node, Instant at, const Message& message) {
  if (const auto* opened = std::get_if<ConnectionOpened>(&message)) {
    tuples_[opened->connection] = opened->tuple;
  } else if (const auto* closed = std::get_if<ConnectionClosed>(&message)) {
    awaited_.erase(closed->tuple);
  } else if (const auto* finished = std::get_if<MigrationFinished>(&message)) {
    const auto tuple = tuples_.find(finished->tenure.connection);
    if (finished->outcome == MigrationOutcome::kCompleted || tuple == tuples_.end()) return;
    if (finished->reason == "moving") return;  // by another request, which goes on
    awaited_.try_emplace(tuple->second, Awaited{node, at});
  } else if (const auto* reached = std::get_if<MigrationStageReached>(&message)) {
    const auto tuple = tuples_.find(reached->tenure.connection);
    if (reached->stage != Stage::kActivated || tuple == tuples_.end()) return;
    awaited_.erase(tuple->second);  // another attempt succeeded: it is the new owner's to speak
  }
}

void Resumption::on_segment(const SegmentSeen& seen) {
  const auto found = awaited_.find(seen.flow.tuple);
  if (found == awaited_.end()) return;
  Awaited& awaited = found->second;
  if (seen.to_client) {
    if (seen.point == Crossing::Point::kSent && seen.from == awaited.source) awaited_.erase(found);
  } else if (seen.point == Crossing::Point::kDelivered && seen.segment.length() > 0 &&
             seen.at > awaited.since) {
    awaited.asked_at = std::min(awaited.asked_at, seen.at);
  }
}

void Resumption::on_crash(PortId node, Instant /*at*/) {
  std::erase_if(awaited_, [&](const auto& entry) { return entry.second.source == node; });
}

// Silence is right when nobody asks for anything.
void Resumption::at_end(Instant at) {
  for (const auto& [tuple, awaited] : awaited_) {
    if (awaited.asked_at == kNever || at - awaited.asked_at < kPatience) continue;
    report(at, fmt::format("{} was not heard again after the migration was given up at {} us",
                           tuple.to_string(), to_microseconds(awaited.since.time_since_epoch())));
  }
}

}  // namespace migd::sim
