// Snapshots that were changed: one field at a time, to see that each is carried; and many at
// random, as somebody might who wants to do harm.
#include "tests/support/snapshot_fields.h"
#include "stack/snapshot_rules.h"
#include "tests/stack/situations.h"
#include "tests/support/snapshot_text.h"

namespace migd::test {
namespace {

TcpSnapshot snapshot_of(TestBed& bed) {
  FrozenConnection frozen = bed.a.stack->freeze(*bed.find(), bed.now);
  TcpSnapshot snapshot = bed.a.stack->capture(frozen, bed.now);
  bed.a.stack->thaw(std::move(frozen), bed.now);
  return snapshot;
}

// The text of what comes out when this goes in elsewhere.
std::string through(const TcpSnapshot& snapshot, TestBed& bed) {
  const Tenure tenure{bed.find()->id(), Epoch{2}};
  auto attached = bed.b.stack->attach(snapshot, tenure, "web", {}, bed.now);
  EXPECT_TRUE(attached) << attached.error().text;
  if (!attached) return "";
  std::string text = to_text(bed.b.stack->capture(*attached, bed.now));
  bed.b.stack->release(std::move(*attached), CloseReason::kMigrated);
  bed.b.stack->deliver_events(bed.now);
  return text;
}

// Each field comes out with two different values as it went in: with those of two situations, or
// with one that was changed.
TEST(SnapshotFieldsTest, EachIsCarried) {
  std::array<bool, kSnapshotFieldCount> carried{};
  std::array<std::string, kSnapshotFieldCount> first;
  for (const Situation& situation : situations()) {
    TestBed bed(Moves::kNever, situation.peer, situation.options);
    situation.arrive(bed);
    const TcpSnapshot good = snapshot_of(bed);
    ASSERT_EQ(through(good, bed), to_text(good)) << situation.name;
    for (std::size_t field = 0; field < kSnapshotFieldCount; ++field) {
      const std::string text = text_of_field(good, field);
      if (first[field].empty()) first[field] = "(" + text + ")";
      carried[field] = carried[field] || first[field] != "(" + text + ")";
      for (std::size_t way = 0; !carried[field]; ++way) {
        TcpSnapshot changed = good;
        if (!change_field(changed, field, way)) break;
        if (!check_snapshot(changed)) continue;
        carried[field] = through(changed, bed) == to_text(changed);
      }
    }
  }
  for (std::size_t field = 0; field < kSnapshotFieldCount; ++field)
    EXPECT_TRUE(carried[field]) << kSnapshotFieldNames[field];
}

// Whatever passes the rules, lwIP must be able to live with.
class Forgery {
 public:
  Forgery(const Situation& situation, std::uint64_t seed) : rng_(seed), situation_(situation) {}

  bool run() {
    TestBed bed(Moves::kNever, situation_.peer, situation_.options);
    situation_.arrive(bed);
    const TcpSnapshot good = snapshot_of(bed);
    bool accepted = false;
    for (int i = 0; i < 40; ++i) {
      TcpSnapshot forged = good;
      for (std::uint64_t n = 1 + rng_.below(3); n > 0; --n)
        forge(forged);
      accepted |= live_with(forged, bed);
    }
    return accepted;
  }

 private:
  // Small steps (which the rules may not notice) and wild ones.
  void forge(TcpSnapshot& s) {
    if (rng_.chance(0.6)) {
      change_field(s, rng_.below(kSnapshotFieldCount), rng_.below(3));
      return;
    }
    const auto any = [this] { return static_cast<std::uint32_t>(rng_.next()); };
    const auto near = [this](SeqNum n) { return n + static_cast<std::uint32_t>(rng_.below(4000)); };
    switch (rng_.below(14)) {
      case 0:
        s.send_wl1 = SeqNum(any());
        break;
      case 1:
        s.send_wl2 = SeqNum(any());
        break;
      case 2:
        s.send_window = any() % 3000;
        break;
      case 3:
        s.send_window_max = s.send_window + any() % 200;
        break;
      case 4:
        s.receive_window_limit = 1 + any() % 70000;
        break;
      case 5:
        s.announced_right_edge = near(s.receive_next);
        break;
      case 6:
        s.out_of_order = {{near(s.receive_next + 1), Bytes(1 + any() % 3000), rng_.chance(0.3)}};
        s.sack_blocks.clear();
        break;
      case 7:
        s.mss = static_cast<std::uint16_t>(88 + any() % 2000);
        break;
      case 8:
        s.cwnd = 1 + any() % 3000;
        break;
      case 9:
        s.sent.assign(2, {.length = s.send_in_flight / 2, .lost = rng_.chance(0.5)});
        s.sent[1].length = s.send_in_flight - s.sent[0].length;
        break;
      case 10:
        s.send_data.resize(s.send_data.size() + any() % 3000);
        if (s.fin_sequence) *s.fin_sequence = near(s.send_unacknowledged);
        break;
      case 11:
        s.persist_backoff = static_cast<std::uint8_t>(any());
        break;
      case 12:
        s.duplicate_acks = static_cast<std::uint8_t>(any());
        break;
      case 13:
        s.unread.resize(any() % 3000);
        break;
    }
  }

  bool live_with(const TcpSnapshot& forged, TestBed& bed) {
    TestNode node(7, situation_.options, bed.now);
    const Tenure tenure{bed.find()->id(), Epoch{2}};
    auto attached = node.stack->attach(forged, tenure, "web", {}, bed.now);
    if (!attached) return false;
    TestApp app;
    attached->connection().bind("app", &app);
    node.stack->thaw(std::move(*attached), bed.now);
    Instant now = bed.now;
    const FourTuple tuple{forged.tuple};
    Peer peer = bed.peer;
    peer.options.local = forged.tuple.peer;
    peer.send_next = forged.receive_next;
    peer.receive_next = forged.send_unacknowledged;
    for (int i = 0; i < 25 && node.stack->find(tuple) != nullptr; ++i) {
      step(peer, node, tuple, now);
      for (const SeenSegment& segment : node.sent) {  // which nobody vouches for
        const bool ends = segment.has(tcp_flag::kSyn) || segment.has(tcp_flag::kFin);
        const SeqNum end =
            segment.seq + static_cast<std::uint32_t>(segment.payload.size()) + (ends ? 1u : 0u);
        if (segment.seq <= peer.receive_next && rng_.chance(0.9))
          peer.receive_next = std::max(peer.receive_next, end);
      }
      node.sent.clear();
      now += Duration(rng_.below(900'000'000));
      node.stack->on_deadline(now);
      node.stack->deliver_events(now);
    }
    EXPECT_EQ(node.metrics.counter("migd_stack_quarantined_connections_total").value, 0u)
        << situation_.name << "\n"
        << to_text(forged);
    return true;
  }

  void step(Peer& peer, TestNode& node, const FourTuple& tuple, Instant now) {
    Connection& connection = *node.stack->find(tuple);
    const auto give = [&](const Bytes& packet) {
      Frame frame = node.pool->copy_of(packet);
      node.stack->input(frame, now);
      node.stack->deliver_events(now);
    };
    switch (rng_.below(8)) {
      case 0:
        return give(peer.data(ramp(1 + rng_.below(1400))));
      case 1:
        return give(
            peer.data(ramp(1 + rng_.below(1400)),
                      {.seq = peer.send_next + static_cast<std::uint32_t>(rng_.below(9000))}));
      case 2:
        return give(peer.ack());
      case 3:
        peer.window = static_cast<std::uint32_t>(rng_.below(rng_.chance(0.3) ? 50 : 60000));
        return give(peer.ack());
      case 4:
        return give(peer.fin());
      case 5:
        connection.write(ramp(1 + rng_.below(5000)));
        return;
      case 6:
        if (rng_.chance(0.3)) connection.shutdown_write();
        return;
      case 7:
        if (rng_.chance(0.1)) connection.close();
        return;
    }
  }

  sim::SimRng rng_;
  const Situation& situation_;
};

TEST(SnapshotFieldsTest, WhatPassesTheRulesTripsNoAssertion) {
  int accepted = 0, number = 0;
  for (const Situation& situation : situations()) {
    for (std::uint64_t seed = 1; seed <= 3 && !::testing::Test::HasFailure(); ++seed)
      accepted += Forgery(situation, 1000 * seed + static_cast<std::uint64_t>(++number)).run();
  }
  EXPECT_GT(accepted, static_cast<int>(situations().size()));
}

}  // namespace
}  // namespace migd::test
