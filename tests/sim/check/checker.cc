#include "tests/sim/check/checker.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/check/late_answers.h"
#include "tests/sim/check/memory.h"
#include "tests/sim/check/ownership.h"
#include "tests/sim/check/reset.h"
#include "tests/sim/check/resumption.h"
#include "tests/sim/check/sack.h"
#include "tests/sim/check/sequence.h"
#include "tests/sim/check/stragglers.h"
#include "tests/sim/check/survival.h"
#include "tests/sim/check/timestamps.h"
#include "tests/sim/check/window.h"

namespace migd::sim {
namespace {

constexpr std::size_t kKept = 5;

bool is_late_answer(const Flow& flow, const Segment& segment, bool to_client) {
  return to_client && segment.has(Segment::kSyn) && flow.earlier_isns.contains(segment.seq);
}

}  // namespace

std::string Violation::to_string() const {
  return fmt::format("{} at {} us: {}", checker, to_microseconds(at.time_since_epoch()), what);
}

void Checker::report(Instant at, std::string what) {
  if (violations_.size() < kKept) violations_.push_back({name_, at, std::move(what)});
}

bool Judge::is_vip(const Endpoint& endpoint) const {
  return std::find(vips_.begin(), vips_.end(), endpoint) != vips_.end();
}

// Follows the handshakes: a client's SYN with a new ISN begins a new flow.
Flow* Judge::flow_of(const FourTuple& tuple, const Crossing& crossing, bool to_client) {
  const Segment& segment = *crossing.tcp;
  const auto found = flows_.find(tuple);
  const bool sent_syn = crossing.point == Crossing::Point::kSent && segment.has(Segment::kSyn);
  if (!to_client && sent_syn && !segment.has(Segment::kAck)) {
    if (found != flows_.end() && found->second.client_isn == segment.seq) return &found->second;
    Flow fresh{
        .number = ++flow_count_, .tuple = tuple, .client_isn = segment.seq, .server_isn = {}};
    fresh.client_mss = segment.mss.value_or(536);
    fresh.offers_scale = segment.window_scale.has_value();
    fresh.offered_scale = segment.window_scale.value_or(0);
    fresh.offers_timestamps = segment.timestamps.has_value();
    fresh.offers_sack = segment.sack_permitted;
    return &(flows_[tuple] = fresh);
  }
  if (found == flows_.end()) return nullptr;
  Flow& flow = found->second;
  if (is_late_answer(flow, segment, to_client)) return &flow;
  if (to_client && segment.has(Segment::kSyn) && crossing.point == Crossing::Point::kDelivered) {
    flow.answered = true;
  }
  if (to_client && sent_syn && !flow.answered && flow.server_isn &&
      *flow.server_isn != segment.seq) {
    flow.number = ++flow_count_;
    flow.earlier_isns.emplace(*flow.server_isn, crossing.at);
    flow.server_isn.reset();
  }
  if (to_client && sent_syn && !flow.server_isn) {
    flow.server_isn = segment.seq;
    flow.timestamps = flow.offers_timestamps && segment.timestamps;
    flow.sack = flow.offers_sack && segment.sack_permitted;
    if (flow.offers_scale && segment.window_scale) {
      flow.client_scale = flow.offered_scale;
      flow.server_scale = *segment.window_scale;
    }
  }
  return &flow;
}

void Judge::on_crossing(const Crossing& crossing) {
  for (const auto& checker : checkers_)
    checker->on_crossing(crossing);
  if (crossing.tcp != nullptr) on_tcp(crossing);
}

void Judge::on_tcp(const Crossing& crossing) {
  const Segment& segment = *crossing.tcp;
  const bool to_client = is_vip(segment.src);
  if (!to_client && !is_vip(segment.dst)) return;
  const FourTuple tuple =
      to_client ? FourTuple{segment.src, segment.dst} : FourTuple{segment.dst, segment.src};
  Flow* flow = flow_of(tuple, crossing, to_client);
  if (flow == nullptr) {
    for (const auto& checker : checkers_)
      checker->on_stray(crossing, to_client);
    return;
  }
  const SegmentSeen seen{crossing.point, crossing.at, to_client, crossing.from,
                         crossing.to,    *flow,       segment};
  const bool late = is_late_answer(*flow, segment, to_client);
  for (const auto& checker : checkers_)
    late ? checker->on_late_answer(seen, flow->earlier_isns.at(segment.seq))
         : checker->on_segment(seen);
}

void Judge::on_message(PortId node, Instant at, const Message& message) {
  for (const auto& checker : checkers_)
    checker->on_message(node, at, message);
}

void Judge::on_crash(PortId node, Instant at) {
  for (const auto& checker : checkers_)
    checker->on_crash(node, at);
}

void Judge::on_arrival(PortId node, Instant at, wire::Kind kind, ByteView head) {
  for (const auto& checker : checkers_)
    checker->on_arrival(node, at, kind, head);
}

void Judge::at_end(Instant at) {
  for (const auto& checker : checkers_)
    checker->at_end(at);
}

std::vector<Violation> Judge::violations() const {
  std::vector<Violation> all;
  for (const auto& checker : checkers_) {
    all.insert(all.end(), checker->violations().begin(), checker->violations().end());
  }
  return all;
}

void add_invariant_checkers(Judge& judge) {
  judge.add<OneOwner>(judge.net());
  judge.add<LateAnswers>();
  judge.add<SilentSource>(judge.net());
  judge.add<ResetChecker>();
  judge.add<TimestampChecker>();
  judge.add<WindowChecker>();
  judge.add<AckChecker>();
  judge.add<SackChecker>();
  judge.add<SequenceChecker>();
  judge.add<Resumption>();
  judge.add<Survival>();
  judge.add<Stragglers>();
  judge.add<Memory>();
}

}  // namespace migd::sim
