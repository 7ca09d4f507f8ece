// Drain: gives the connections of a node away, each to a node that serves the same, until none is
// left, or its time is over.
//
// Theory of operation
//   Whoever can move is asked to move by the bus (MigrationRequest), as fast as the rate allows and
//   the targets take it: of each target only so many moves, and so many bytes, are under way at a
//   time. Who cannot move now is looked at again a moment later. Who was refused is offered to the
//   next candidate, and after the last one to all of them again, a while later.
//
//   Candidates are the nodes that were named, or the nodes where a rule of its service sends
//   connections of its application (forwarder/node_selection.h); of them those that are ready. A
//   connection without any candidate is left; others wait for theirs.
//
// Engine. Whether the node takes new connections is not its business (Migrator::set_draining()).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "forwarder/health.h"
#include "forwarder/options.h"
#include "migrator/migrator.h"

namespace migd {

struct DrainTerms {
  std::vector<NodeId> targets;   // none: each connection's own candidates
  std::uint32_t per_second = 0;  // moves begun; 0: as fast as they go
  Duration timeout = 60s;
};

enum class DrainState : std::uint8_t {
  kNone,      // never begun
  kRunning,   //
  kDone,      // nothing is left
  kLeft,      // what is left has nowhere to go
  kDeadline,  // its time was over
  kStopped,
};
std::string_view to_string(DrainState state);

struct DrainReport {
  DrainState state = DrainState::kNone;
  std::uint64_t moved = 0;
  std::map<std::string, std::uint64_t> refused;  // attempts that came to nothing, by reason
  std::uint32_t under_way = 0;
  std::uint32_t left = 0;  // those under way included
  // Of those left, by blocker; while it runs, of those that it has come to in this round.
  std::map<std::string, std::uint32_t> blocked;
  Duration took{};
};

class Drain {
 public:
  static constexpr std::uint32_t kMovesUnderWay = 64;      // to one target
  static constexpr std::size_t kBytesUnderWay = 8u << 20;  // likewise, or a single state
  static constexpr Duration kLookAgain = 50ms;             // at those that could not move, or
  static constexpr Duration kLookAtOne = 5us;              // more for so many: a tenth of the time
  static constexpr Duration kOfferAgain = 1s;              // those whom all have refused
  static constexpr Duration kBurst = 10ms;                 // what a rate may catch up with

  struct Parts {
    NodeId self;
    const std::vector<ServiceOptions>& services;
    Stack& stack;
    const Migrator& migrator;
    const NodeHealth& health;
    MessageBus& bus;
  };
  // Subscribes; the bus must not dispatch any more when this is gone.
  Drain(const Parts& parts, Instant now);

  void start(DrainTerms terms, Instant now);  // anew, if one runs
  void stop(Instant now);                     // moves that are under way are finished
  DrainReport report() const;

  // To be called whenever something has happened. What it begins is posted.
  void poll(Instant now);
  Instant next_deadline() const;

 private:
  struct Load {
    std::uint32_t moves = 0;
    std::size_t bytes = 0;
    std::uint64_t given = 0;  // moves begun in all
  };
  struct Move {
    NodeId target;
    std::size_t bytes = 0;
  };
  struct Refused {
    std::vector<NodeId> by;
    std::optional<Instant> offer_again;  // set: by all
  };

  void on_finished(const MigrationFinished& message);
  void look(Instant now);
  bool try_next(Instant now);
  std::vector<NodeId> candidates(const Connection& connection) const;
  std::optional<NodeId> choose(const Connection& connection, Instant now);
  bool has_room(NodeId target, std::size_t bytes) const;
  void begin(Connection& connection, NodeId target, Instant now);
  void finish(DrainState state, Instant now);

  Parts parts_;
  DrainTerms terms_;
  DrainState state_ = DrainState::kNone;
  Instant now_;  // the latest that we were told
  Instant started_, ended_, next_look_, next_move_;
  std::deque<ConnectionId> waiting_;              // to be tried in this round
  std::size_t hopeless_ = 0;                      // found in the last round: without a candidate
  std::map<std::string, std::uint32_t> blocked_;  // found in this round
  std::unordered_map<ConnectionId, Move> moving_;
  std::unordered_map<ConnectionId, Refused> refused_;
  std::map<NodeId, Load> loads_;
  std::uint64_t moved_ = 0;
  std::map<std::string, std::uint64_t> refusals_;
};

}  // namespace migd
