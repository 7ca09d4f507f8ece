// Invariant 1, before a handshake is complete: a node that was cut off may have answered a SYN, and
// another node the client's next one. The first cannot know, and repeats its SYN/ACK; once it has
// asked the forwarder, it does not any more.
#pragma once

#include <map>
#include <utility>
#include <variant>

#include "tests/sim/check/checker.h"

namespace migd::sim {

class LateAnswers : public Checker {
 public:
  LateAnswers() : Checker("late_answers") {}

  void on_message(PortId node, Instant /*at*/, const Message& message) override {
    if (const auto* opened = std::get_if<ConnectionOpened>(&message)) {
      nodes_[opened->connection] = node;
    }
  }

  void on_arrival(PortId /*node*/, Instant at, wire::Kind kind, ByteView head) override {
    if (kind != wire::Kind::kMap) return;
    const auto message = wire::parse(static_cast<std::uint8_t>(kind), head);
    const auto& map = std::get<wire::Map>(*message);
    const auto node = nodes_.find(map.tenure.connection);
    if (map.half_open && node != nodes_.end()) asked_[{node->second, map.tuple}] = at;
  }

  void on_late_answer(const SegmentSeen& seen, Instant since) override {
    const auto asked = asked_.find({seen.from, seen.flow.tuple});
    if (asked == asked_.end() || asked->second < since) return;
    if (seen.at - asked->second <= kPatience) return;
    report(seen.at, "it has another's answer by now: " + seen.segment.to_string());
  }

 private:
  static constexpr Duration kPatience = 1s;  // for the forwarder's answer, on a bad path

  std::map<ConnectionId, PortId> nodes_;
  std::map<std::pair<PortId, FourTuple>, Instant> asked_;
};

}  // namespace migd::sim
