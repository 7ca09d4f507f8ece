// A migration as a table: what each half does to reach a stage, what undoes it, and where the
// point of no return lies. The code of a stage is in source_half.cc and target_half.cc, under the
// stage's name; docs/life_of_a_migration.md tells it as a story.
//
//   source                         forwarder(s)              target
//   LIVE -- PREPARE --------------------------------------> may it come? nothing is kept
//    | <----------------------------------------- PROMISE --
//    | freeze; compile; capture copies
//   FROZEN -- STATE -------------> map, relay -------------> READY: validated, attached, silent
//    | <------------------------------------------ READY --
//   GRANTED -- held packets, barrier, GRANT ---------------> ACTIVE: data to the application,
//    | <------------------------------------------ ACTIVE --   held packets in order, one ACK
//   GONE: release, tombstone
//
// When the target has promised and the state is small, GRANT rides with STATE: sent and granted are
// one step of the source, attached and activated one of the target, and no READY is said.
#pragma once

#include <array>
#include <string_view>

#include "base/messages.h"

namespace migd {

struct StageRule {
  Stage stage;
  std::string_view source;    // what the source does to get here
  std::string_view target;    // what the target does
  std::string_view rollback;  // how everything is as if nothing had happened
  bool point_of_no_return;
};

inline constexpr std::array<StageRule, kStageCount> kStageRules{{
    {Stage::kRequested, "checks blockers; PREPARE; may hold the client by its window", "",
     "nothing to undo", false},
    {Stage::kPrepared, "may let what is queued drain",
     "checks that it could take it, answers PROMISE", "nothing to undo", false},
    {Stage::kFrozen, "parks the PCB, holds arriving packets, captures copies", "",
     "thaw; held packets are replayed", false},
    {Stage::kSent, "STATE leaves, by the forwarder or straight", "",
     "ABORT to the target; thaw under a higher epoch", false},
    {Stage::kMapped, "", "early packets are held",
     "the mapping is set back under the higher epoch; the target returns what it held", false},
    {Stage::kAttached, "", "validates, attaches silently, answers READY",
     "the target releases the copy without a segment", false},
    {Stage::kGranted, "stragglers, barrier and GRANT leave; from now on packets only pass through",
     "", "only the target may undo it, by saying that it never activated and never will", true},
    {Stage::kActivated, "", "thaws, replays what was held in order, one ACK, answers ACTIVE",
     "none: the target owns the connection", false},
    {Stage::kReleased, "releases the parked PCB; the tombstone stays", "", "none", false},
}};

// Each stage once, in order, and exactly one point of no return.
constexpr bool stage_rules_are_sound() {
  int points = 0;
  for (std::size_t i = 0; i < kStageRules.size(); ++i) {
    if (kStageRules[i].stage != static_cast<Stage>(i)) return false;
    points += kStageRules[i].point_of_no_return ? 1 : 0;
  }
  return points == 1;
}
static_assert(stage_rules_are_sound());

}  // namespace migd
