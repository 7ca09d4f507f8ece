// RACK (RFC 8985 section 6), the sums of proportional rate reduction (RFC 6937), and what is proven
// to have been sent again for nothing.
#include "stack/recovery/rack.h"

#include <gtest/gtest.h>

#include "stack/recovery/min_rtt.h"
#include "stack/recovery/prr.h"
#include "stack/recovery/undo.h"

namespace migd::test {
namespace {

constexpr Instant kRackStart{Duration(1000s)};
constexpr Duration kRackRtt = 20ms;

Rack::Segment sent(Duration at, std::uint32_t end, bool again = false) {
  return {kRackStart + at, SeqNum(end), again};
}

// 6.2 step 5: lost is what was sent before what was delivered, once a round trip and the window
// have passed.
TEST(RackTest, WhatWasSentBeforeIsLost) {
  Rack rack;
  rack.on_delivered(sent(1ms, 3000), kRackRtt, kRackStart + 21ms);
  EXPECT_EQ(rack.until_lost(sent(0ms, 1000), 5ms, kRackStart + 21ms), 4ms);
  EXPECT_EQ(rack.until_lost(sent(0ms, 1000), 0ms, kRackStart + 21ms), -1ms);
  EXPECT_EQ(rack.until_lost(sent(1ms, 2000), 0ms, kRackStart + 21ms),
            0ms);  // at once, and before it
  EXPECT_FALSE(rack.until_lost(sent(1ms, 4000), 0ms, kRackStart + 21ms));
  EXPECT_FALSE(rack.until_lost(sent(2ms, 1000, true), 0ms, kRackStart + 21ms));  // again, since
}

// 6.2 step 2: what is acknowledged sooner than in any round trip was the original.
TEST(RackTest, ARetransmissionThatIsTooSoonTellsNothing) {
  Rack rack;
  rack.on_delivered(sent(0ms, 1000), kRackRtt, kRackStart + 20ms);
  rack.on_delivered(sent(25ms, 2000, true), kRackRtt, kRackStart + 30ms);
  EXPECT_FALSE(rack.until_lost(sent(20ms, 3000), 0ms, kRackStart + 30ms));
  rack.on_delivered(sent(25ms, 2000, true), kRackRtt, kRackStart + 45ms);
  EXPECT_TRUE(rack.until_lost(sent(20ms, 3000), 0ms, kRackStart + 45ms));
}

// 6.2 steps 3 and 4.
TEST(RackTest, WindowOpensOnceReorderingWasSeen) {
  Rack rack;
  rack.on_delivered(sent(0ms, 2000), kRackRtt, kRackStart + 20ms);
  EXPECT_EQ(rack.reordering_window(true, kRackRtt, 30ms), 0ms);
  EXPECT_EQ(rack.reordering_window(false, kRackRtt, 30ms), 5ms);
  rack.on_delivered(sent(0ms, 1000, true), kRackRtt,
                    kRackStart + 40ms);  // sent again: no reordering
  EXPECT_EQ(rack.reordering_window(true, kRackRtt, 30ms), 0ms);
  rack.on_delivered(sent(0ms, 1000), kRackRtt, kRackStart + 20ms);
  EXPECT_EQ(rack.reordering_window(true, kRackRtt, 30ms), 5ms);
}

TEST(RackTest, DuplicatesWidenTheWindowOnceARoundTripUpToOne) {
  Rack rack;
  rack.on_delivered(sent(0ms, 2000), kRackRtt, kRackStart + 20ms);
  rack.on_delivered(sent(0ms, 1000), kRackRtt, kRackStart + 20ms);
  rack.on_duplicate_delivery(SeqNum(2000), SeqNum(9000));
  rack.on_duplicate_delivery(SeqNum(3000), SeqNum(10000));  // of the same round
  EXPECT_EQ(rack.reordering_window(true, kRackRtt, 30ms), 10ms);
  rack.on_duplicate_delivery(SeqNum(9000), SeqNum(20000));
  EXPECT_EQ(rack.reordering_window(true, kRackRtt, 30ms), 15ms);
  EXPECT_EQ(rack.reordering_window(true, kRackRtt, 12ms), 12ms);  // never more than a round trip
  for (int i = 0; i < 15; ++i)
    rack.on_recovery_end();
  EXPECT_EQ(rack.reordering_window(true, kRackRtt, 30ms), 15ms);
  rack.on_recovery_end();
  EXPECT_EQ(rack.reordering_window(true, kRackRtt, 30ms), 5ms);
}

TEST(MinRttTest, ForgetsAfterAWhile) {
  MinRtt least;
  EXPECT_EQ(least.value(), 0ms);
  least.sample(30ms, kRackStart);
  least.sample(20ms, kRackStart + 1s);
  least.sample(40ms, kRackStart + 2s);
  EXPECT_EQ(least.value(), 20ms);
  least.sample(50ms, kRackStart + 6min);
  EXPECT_EQ(least.value(), 20ms);
  least.sample(60ms, kRackStart + 12min);
  EXPECT_EQ(least.value(), 50ms);
}

// RFC 6937 5, the first example: one segment of 20 is lost, the window is halved. Every other ACK
// lets one out, and as many leave in all as the threshold has.
TEST(PrrTest, OneOfTwentyIsLost) {
  constexpr std::uint32_t kMss = 1000;
  Prr prr;
  prr.begin(20 * kMss);
  std::uint32_t pipe = 19 * kMss, sent = 0;  // the first is lost
  for (int ack = 1; ack <= 19; ++ack) {
    pipe -= kMss;
    for (std::uint32_t may = prr.on_ack(kMss, pipe, 10 * kMss, kMss, false); may >= kMss;
         may -= kMss) {
      prr.on_sent(kMss);
      pipe += kMss;
      sent += kMss;
    }
  }
  EXPECT_EQ(sent, 10 * kMss);  // the one that is sent again, and nine new ones
  EXPECT_EQ(pipe, 10 * kMss);
}

// The second example: of 20 the first 15 are lost. What is in flight is below the threshold at
// once; it grows again by what is delivered, and by a segment more with each sign of progress.
TEST(PrrTest, FifteenOfTwentyAreLost) {
  constexpr std::uint32_t kMss = 1000;
  Prr prr;
  prr.begin(20 * kMss);
  EXPECT_EQ(prr.on_ack(kMss, 4 * kMss, 10 * kMss, kMss, false), kMss);
  prr.on_sent(kMss);
  EXPECT_EQ(prr.on_ack(kMss, 4 * kMss, 10 * kMss, kMss, false), kMss);
  prr.on_sent(kMss);
  EXPECT_EQ(prr.on_ack(kMss, 4 * kMss, 10 * kMss, kMss, true), 2 * kMss);
  prr.on_sent(2 * kMss);
  EXPECT_EQ(prr.on_ack(kMss, 10 * kMss, 10 * kMss, kMss, true), 0u);
}

TEST(PrrTest, TheFirstRetransmissionLeavesAtOnce) {
  Prr prr;
  prr.begin(100'000);
  EXPECT_EQ(prr.on_ack(1, 90'000, 50'000, 1000, false), 1000u);
}

class UndoTest : public ::testing::Test {
 protected:
  UndoTest() {
    undo.begin(SeqNum(1000), SeqNum(9000), 50'000, 60'000);
    undo.on_retransmission(1000, 640);
  }
  Undo undo;
};

TEST_F(UndoTest, ADuplicateProves) {
  EXPECT_FALSE(undo.proven());
  undo.on_duplicate(SeqNum(0), SeqNum(1000));     // of before
  undo.on_duplicate(SeqNum(8500), SeqNum(9500));  // of later
  EXPECT_FALSE(undo.proven());
  undo.on_duplicate(SeqNum(1000), SeqNum(2000));
  EXPECT_TRUE(undo.proven());
  EXPECT_EQ(undo.cwnd(), 50'000u);
  EXPECT_EQ(undo.ssthresh(), 60'000u);
}

TEST_F(UndoTest, AnOlderTimestampProves) {
  undo.on_acknowledged(SeqNum(2000), 1000, kRackRtt, kRackRtt, 640);
  EXPECT_FALSE(undo.proven());
  undo.on_acknowledged(SeqNum(2000), 1000, kRackRtt, kRackRtt, 576);
  EXPECT_TRUE(undo.proven());
}

TEST_F(UndoTest, AnAckThatIsTooSoonProves) {
  undo.on_acknowledged(SeqNum(2000), 1000, 11ms, kRackRtt, std::nullopt);
  EXPECT_FALSE(undo.proven());
  undo.on_acknowledged(SeqNum(2000), 1000, 9ms, kRackRtt, std::nullopt);
  EXPECT_TRUE(undo.proven());
}

TEST_F(UndoTest, EachMustBeProvenAndOnce) {
  undo.on_retransmission(1000, 640);
  undo.on_acknowledged(SeqNum(2000), 1000, 1ms, kRackRtt, std::nullopt);
  undo.on_duplicate(SeqNum(1000), SeqNum(2000));  // the same one
  EXPECT_FALSE(undo.proven());
  undo.on_duplicate(SeqNum(2000), SeqNum(3000));
  EXPECT_TRUE(undo.proven());
}

TEST(UndoTests, NothingSentAgainProvesNothing) {
  Undo undo;
  undo.begin(SeqNum(1000), SeqNum(9000), 50'000, 60'000);
  EXPECT_FALSE(undo.proven());
}

}  // namespace
}  // namespace migd::test
