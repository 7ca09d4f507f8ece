// ICMP errors: which are believed, and what follows (RFC 1191, RFC 8201, RFC 5927).
#include "stack/path_mtu.h"

#include <algorithm>

#include "tests/stack/lwip_memory.h"
#include "tests/stack/test_bed.h"
#include "tests/support/icmp.h"

namespace migd::test {
namespace {

class PathMtuTest : public MovingTest {
 protected:
  void SetUp() override {
    MovingTest::SetUp();
    bed().connect();
  }
  std::size_t headers() const { return v6() ? 60u : 40u; }
  std::uint64_t drops(DropReason reason) {
    return bed().a.stack->drops().of(reason) + bed().b.stack->drops().of(reason);
  }
  std::size_t longest(const std::vector<SeenSegment>& segments) {
    std::size_t most = 0;
    for (const SeenSegment& s : segments)
      most = std::max(most, s.packet.size());
    return most;
  }
};

TEST_P(PathMtuTest, WhatWasTooBigIsSentAgainInSmallerSegments) {
  const Bytes data = ramp(100000);
  bed().write(data);
  const auto before = bed().take();
  ASSERT_EQ(before.size(), 10u);
  EXPECT_EQ(longest(before), 1500u);
  bed().peer.received.clear();
  bed().peer.receive_next = bed().peer.first_byte;  // nothing came through
  bed().give(too_big(before[0], 1300));

  const auto after = bed().take();
  ASSERT_GE(after.size(), 10u);
  EXPECT_EQ(after[0].seq, before[0].seq);
  EXPECT_LE(longest(after), 1300u);
  EXPECT_GE(longest(after), 1280u);
  std::size_t bytes = 0;
  for (const SeenSegment& s : after)
    bytes += s.payload.size();
  EXPECT_GE(bytes, before.size() * 1448 - 2 * 1300) << "the window is what it was";
  for (int i = 0; i < 200 && bed().peer.received.size() < data.size(); ++i)
    bed().give(bed().peer.ack());
  EXPECT_EQ(bed().peer.received, data);
  EXPECT_LE(longest(bed().take()), 1300u);
}

TEST_P(PathMtuTest, SmallerAndSmaller) {
  const Bytes data = ramp(30000);
  bed().write(data);
  for (const std::uint32_t mtu : {1400u, 1350u, 1280u}) {
    const auto sent = bed().take();
    ASSERT_FALSE(sent.empty());
    bed().give(too_big(sent[0], mtu));
    EXPECT_LE(longest({bed().wire.begin(), bed().wire.end()}), mtu);
  }
  for (int i = 0; i < 100 && bed().peer.received.size() < data.size(); ++i)
    bed().give(bed().peer.ack());
  EXPECT_EQ(bed().peer.received, data);
}

TEST_P(PathMtuTest, TheFinIsCutAsWell) {
  const Bytes data = ramp(1400);
  bed().write(data);
  const auto before = bed().take();
  ASSERT_EQ(before.size(), 1u);
  bed().shutdown_write();
  bed().take();
  bed().peer.received.clear();
  bed().peer.receive_next = bed().peer.first_byte;
  bed().peer.fin_received = false;
  bed().give(too_big(before[0], 1280));
  for (int i = 0; i < 3; ++i) {
    bed().give(bed().peer.ack());
    bed().run_for(2s);
  }
  EXPECT_EQ(bed().peer.received, data);
  EXPECT_TRUE(bed().peer.fin_received);
  bed().give(bed().peer.ack());
  EXPECT_EQ(bed().state(), TcpState::kFinWait2);
}

// Memory had run out when it was to be queued: it is queued once, though all is cut anew meanwhile.
TEST_P(PathMtuTest, AFinThatWaitsForMemoryIsQueuedOnce) {
  if (moving()) return;  // a move queues it
  const Bytes data = ramp(5000);
  bed().write(data);
  const auto before = bed().take();
  {
    const RefusedMemory refused(MEMP_TCP_SEG);
    bed().shutdown_write();
    ASSERT_GE(refused.count(), 1);
  }
  bed().peer.received.clear();
  bed().peer.receive_next = bed().peer.first_byte;
  bed().give(too_big(before[0], 1300));
  bed().run_for(5s);
  bed().give(too_big(before[0], 1300));
  for (int i = 0; i < 20; ++i) {
    bed().give(bed().peer.ack());
    bed().run_for(100ms);
  }
  EXPECT_EQ(bed().peer.received, data);
  EXPECT_TRUE(bed().peer.fin_received);
  EXPECT_EQ(bed().peer.receive_next, bed().peer.first_byte + 5001u) << "one FIN";
  EXPECT_EQ(bed().state(), TcpState::kFinWait2);
}

TEST_P(PathMtuTest, ALargerOneIsTriedAfterAWhile) {
  bed().write(ramp(1400));
  auto sent = bed().take();
  bed().give(too_big(sent.at(0), 1300));
  bed().take();
  bed().give(bed().peer.ack());
  bed().run_for(9min);
  bed().write(ramp(1440, 1400));
  EXPECT_LE(longest(bed().take()), 1300u);
  bed().give(bed().peer.ack());
  bed().run_for(61s);
  bed().write(ramp(3000, 2840));
  EXPECT_EQ(longest(bed().take()), 1500u);
}

TEST_P(PathMtuTest, WhatIsNotInFlightIsNotBelieved) {  // RFC 5927 4.1
  bed().write(ramp(1400));
  SeenSegment ours = bed().take_one();
  const std::size_t at = headers() - 20 + 4;
  for (const std::uint32_t seq : {ours.seq.value() - 1, ours.seq.value() + 1400}) {
    SeenSegment forged = ours;
    store_u32(&forged.packet[at], seq);
    bed().give(too_big(forged, 1300));
  }
  EXPECT_EQ(drops(DropReason::kIcmpNotInFlight), 2u);
  EXPECT_TRUE(bed().take().empty());
}

TEST_P(PathMtuTest, WhatCannotBeIsNotBelieved) {
  bed().write(ramp(1400));
  const SeenSegment ours = bed().take_one();
  bed().give(too_big(ours, 1500));  // not less than it was
  bed().give(too_big(ours, 9000));
  EXPECT_EQ(drops(DropReason::kIcmpIgnored), 2u);
  if (v6()) {
    bed().give(too_big(ours, 1279));
    EXPECT_EQ(drops(DropReason::kIcmpIgnored), 3u);
  }
  Bytes corrupt = too_big(ours, 1300);
  corrupt.back() ^= 1;
  bed().give(corrupt);
  EXPECT_EQ(drops(DropReason::kBadChecksum), 1u);
  EXPECT_TRUE(bed().take().empty());
}

TEST_P(PathMtuTest, OtherErrorsEndNothing) {  // RFC 9293 MUST-54 to MUST-56, RFC 5927 6
  bed().write(ramp(1400));
  const SeenSegment ours = bed().take_one();
  std::uint64_t given = 0;
  for (std::uint8_t type = 0; type < 13; ++type) {
    for (std::uint8_t code = 0; code < 16; ++code) {
      if ((!v6() && type == 3 && code == 4) || (v6() && type == 2)) continue;
      bed().give(icmp_about(ours, {type, code, 0, 200}));
      ++given;
    }
  }
  EXPECT_EQ(drops(DropReason::kIcmpIgnored), given);
  EXPECT_EQ(bed().state(), TcpState::kEstablished);
  EXPECT_TRUE(bed().take().empty());
}

TEST_P(PathMtuTest, InTheHandshakeNothingIsBelieved) {
  PeerOptions options = peer_options();
  rebuild(options);
  bed().give(bed().peer.syn());
  const SeenSegment ours = bed().take_one();
  bed().give(too_big(ours, 1280));
  EXPECT_EQ(bed().state(), TcpState::kSynReceived);
  EXPECT_EQ(drops(DropReason::kIcmpIgnored), 1u);
}

MIGD_MOVING_SUITE(PathMtuTest);

// ---- routers that drop what is too big, and say nothing (RFC 4821) ----

class BlackHoleTest : public PathMtuTest {
 protected:
  // The peer gets what is at most so long, and answers it.
  void run_with_path_mtu(std::size_t mtu, Duration duration) {
    for (const Instant end = bed().now + duration; bed().now < end;) {
      bed().peer.received = through_.received;
      bed().peer.receive_next = through_.receive_next;
      bool heard = false;
      for (const SeenSegment& s : bed().take()) {
        if (s.packet.size() > mtu) continue;
        longest_through_ = std::max(longest_through_, s.packet.size());
        through_.take(s);
        heard = true;
      }
      bed().peer.received = through_.received;
      bed().peer.receive_next = through_.receive_next;
      if (heard) bed().give(bed().peer.ack());
      bed().run_for(10ms);
    }
  }
  void begin() {
    through_ = bed().peer;
    bed().take();
  }
  std::uint64_t found() {
    return bed().a.metrics.counter("migd_path_black_holes_total").value +
           bed().b.metrics.counter("migd_path_black_holes_total").value;
  }

  Peer through_;
  std::size_t longest_through_ = 0;
};
MIGD_MOVING_SUITE(BlackHoleTest);

TEST_P(BlackHoleTest, IsFoundByTimeOuts) {
  begin();
  const Bytes data = ramp(100000);
  bed().write(data);
  run_with_path_mtu(1400, 20s);
  EXPECT_EQ(through_.received, data);
  EXPECT_EQ(longest_through_, 1280u);
  EXPECT_EQ(found(), 1u);
}

// Of IPv4, some old links take less.
TEST_P(BlackHoleTest, ASmallerOneIsFoundByMore) {
  begin();
  const Bytes data = ramp(20000);
  bed().write(data);
  run_with_path_mtu(600, 60s);
  EXPECT_EQ(through_.received, v6() ? Bytes() : data);
  EXPECT_EQ(found(), v6() ? 1u : 2u);
  if (!v6()) {
    EXPECT_GE(longest_through_, 550u);
  }
}

TEST_P(BlackHoleTest, SmallSegmentsAreNotCut) {
  bed().write(ramp(1000));
  const SeenSegment first = bed().take_one();
  bed().run_for(5s);
  const auto again = bed().take();
  ASSERT_GE(again.size(), 4u);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(again[i].payload, first.payload);
  EXPECT_EQ(found(), 0u);
}

TEST_P(BlackHoleTest, TwoTimeOutsAreCongestion) {
  bed().write(ramp(1428));
  const std::size_t size = bed().take_one().packet.size();
  bed().run_for(1300ms);  // after 200, 600 and 1400 ms
  EXPECT_EQ(longest(bed().take()), size);
  EXPECT_EQ(found(), 0u);
  bed().run_for(1s);
  EXPECT_LE(longest(bed().take()), 1280u);
  EXPECT_EQ(found(), 1u);
}

TEST_P(BlackHoleTest, ALargerOneIsTriedAfterAWhile) {
  begin();
  bed().write(ramp(5000));
  run_with_path_mtu(1400, 5s);
  ASSERT_EQ(through_.received.size(), 5000u);
  bed().run_for(11min);
  bed().write(ramp(5000, 5000));
  EXPECT_EQ(longest({bed().wire.begin(), bed().wire.end()}), 1500u);
  run_with_path_mtu(1500, 1s);
  EXPECT_EQ(through_.received, ramp(10000));
  EXPECT_EQ(found(), 1u);
}

// Another node does not know how what is in flight was cut.
TEST(PathMtuUnmovedTest, OnlyWhatWasTooBigIsSentAgain) {
  TestBed bed;
  bed.connect();
  bed.write(ramp(1000));
  bed.write(ramp(3 * 1428, 1000));
  const auto before = bed.take();
  const auto big = std::find_if(before.begin(), before.end(),
                                [](const SeenSegment& s) { return s.packet.size() == 1500; });
  ASSERT_NE(big, before.end());
  bed.give(too_big(*big, 1400));
  for (const SeenSegment& s : bed.take())
    EXPECT_NE(s.seq, before[0].seq) << "it was small enough";
}

TEST(PathMtuOfTest, RoutersThatDoNotSayIt) {  // RFC 1191 5
  QuotedSegment quoted;
  const auto mtu = [&quoted](std::uint32_t total_size) {
    quoted.total_size = total_size;
    return path_mtu_of({3, 4, 0, {}}, Family::kIpv4, quoted);
  };
  EXPECT_EQ(mtu(9000), 8166);
  EXPECT_EQ(mtu(1500), 1492);
  EXPECT_EQ(mtu(1492), 1006);
  EXPECT_EQ(mtu(1006), kPathMtuMinV4);
  EXPECT_EQ(mtu(kPathMtuMinV4), std::nullopt);
}

TEST(PathMtuOfTest, LessThanAnyLinkHasIsNotBelieved) {
  const QuotedSegment quoted{{}, {}, 1500};
  EXPECT_EQ(path_mtu_of({3, 4, 68, {}}, Family::kIpv4, quoted), kPathMtuMinV4);
  EXPECT_EQ(path_mtu_of({2, 0, 1279, {}}, Family::kIpv6, quoted), std::nullopt);
  EXPECT_EQ(path_mtu_of({2, 0, 1280, {}}, Family::kIpv6, quoted), 1280);
  EXPECT_EQ(path_mtu_of({2, 0, 0x10500, {}}, Family::kIpv6, quoted), std::nullopt);
}

}  // namespace
}  // namespace migd::test
