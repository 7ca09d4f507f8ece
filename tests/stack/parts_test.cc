// The stack's small parts.
#include <gtest/gtest.h>

#include "stack/connection.h"
#include "stack/isn.h"
#include "stack/lwip_headers.h"
#include "stack/receive_queue.h"
#include "stack/rtt_estimator.h"
#include "stack/snapshot.h"
#include "stack/timestamp_clock.h"
#include "tests/support/packets.h"

namespace migd::test {
namespace {

constexpr Instant kStart{Duration(50s)};

TEST(RttEstimatorTest, FollowsRfc6298) {
  RttEstimator rtt;
  EXPECT_EQ(rtt.rto(200ms), 1s);
  rtt.sample(100ms);
  EXPECT_EQ(rtt.srtt(), 100ms);
  EXPECT_EQ(rtt.rttvar(), 50ms);
  EXPECT_EQ(rtt.rto(10ms), 300ms);
  rtt.sample(180ms);
  EXPECT_EQ(rtt.rttvar(), 57500us);
  EXPECT_EQ(rtt.srtt(), 110ms);
}

// What is captured must be what may come in: stack/snapshot_rules.h.
TEST(RttEstimatorTest, RoundTripHasABound) {
  RttEstimator rtt;
  for (int i = 0; i < 3; ++i) {
    rtt.sample(24h);
    EXPECT_LE(rtt.srtt(), RttEstimator::kRoundTripMax);
    EXPECT_LE(rtt.rttvar(), RttEstimator::kRoundTripMax);
  }
  EXPECT_EQ(rtt.srtt(), RttEstimator::kRoundTripMax);
}

TEST(RttEstimatorTest, TimeOutHasBounds) {
  RttEstimator rtt;
  for (int i = 0; i < 100; ++i)
    rtt.sample(50us);
  EXPECT_EQ(rtt.rto(200ms), 200ms + 50us);
  rtt.sample(100s);
  EXPECT_EQ(rtt.rto(200ms), 60s);
}

TEST(TimestampClockTest, TicksInSixtyFourMilliseconds) {
  TimestampClock clock;
  clock.set(1000, kStart);
  EXPECT_EQ(clock.tsval(kStart), 1000u & ~63u);
  EXPECT_EQ(clock.milliseconds(kStart + 500ms), 1500u);
  EXPECT_EQ(clock.tsval(kStart + 24ms), 1024u);
  EXPECT_EQ(clock.tsval(kStart + 87ms), 1024u);
  EXPECT_EQ(clock.tsval(kStart + 88ms), 1088u);
}

TEST(TimestampClockTest, WrapsAround) {
  TimestampClock clock;
  clock.set(0xffffffffu - 10, kStart);
  EXPECT_EQ(clock.milliseconds(kStart + 11ms), 0u);
}

TEST(IsnTest, GrowsWithTimeAndDiffersByTuple) {
  SipKey key{};
  FourTuple tuple{{IpAddress::v4(1), 80}, {IpAddress::v4(2), 4000}};
  const SeqNum first = initial_sequence_number(key, tuple, kStart);
  EXPECT_EQ(initial_sequence_number(key, tuple, kStart + 400us) - first, 100);
  FourTuple other = tuple;
  other.peer.port = 4001;
  EXPECT_NE(initial_sequence_number(key, other, kStart), first);
  key[3] = 1;
  EXPECT_NE(initial_sequence_number(key, tuple, kStart), first);
}

pbuf* buffer_of(const Bytes& bytes) {
  pbuf* p = pbuf_alloc(PBUF_RAW, static_cast<u16_t>(bytes.size()), PBUF_RAM);
  std::copy(bytes.begin(), bytes.end(), static_cast<std::uint8_t*>(p->payload));
  return p;
}

TEST(ReceiveQueueTest, KeepsOrderAcrossSmallAndLargePieces) {
  ReceiveQueue queue;
  Bytes all;
  std::size_t size = 1;
  for (int i = 0; i < 200; ++i) {
    size = size * 7 % 1499 + 1;
    const Bytes piece = ramp(size, all.size());
    append(all, piece);
    pbuf* chain = buffer_of(piece);
    if (i % 5 == 0) {
      const Bytes second = ramp(3, all.size());
      append(all, second);
      pbuf_cat(chain, buffer_of(second));
    }
    queue.append(chain);
    queue.settle();
  }
  const Bytes copied = ramp(5000, all.size());
  append(all, copied);
  queue.append_copy(copied);
  ASSERT_EQ(queue.size(), all.size());

  Bytes whole(all.size() + 10);
  EXPECT_EQ(queue.peek(0, whole), all.size());
  whole.resize(all.size());
  EXPECT_EQ(whole, all);
  Bytes middle(777);
  EXPECT_EQ(queue.peek(1234, middle), 777u);
  EXPECT_TRUE(std::equal(middle.begin(), middle.end(), all.begin() + 1234));

  Bytes read;
  std::size_t n = 1;
  while (queue.size() > 0) {
    n = std::min(n * 3 % 997 + 1, queue.size());
    const ByteView front = queue.front();
    ASSERT_FALSE(front.empty());
    Bytes piece(n);
    EXPECT_EQ(queue.peek(0, piece), n);
    EXPECT_TRUE(std::equal(piece.begin(),
                           piece.begin() + static_cast<std::ptrdiff_t>(std::min(n, front.size())),
                           front.begin()));
    append(read, piece);
    queue.consume(n);
  }
  EXPECT_EQ(read, all);
  EXPECT_TRUE(queue.front().empty());
}

TEST(ReceiveQueueTest, ClearForgetsAll) {
  ReceiveQueue queue;
  queue.append(buffer_of(ramp(1000)));
  queue.append(buffer_of(ramp(10)));
  queue.clear();
  EXPECT_EQ(queue.size(), 0u);
  queue.append_copy(ramp(3));
  EXPECT_EQ(to_bytes(queue.front()), ramp(3));
}

TEST(NamesTest, OfStatesAndBlockers) {
  EXPECT_EQ(to_string(TcpState::kCloseWait), "CLOSE_WAIT");
  EXPECT_EQ(Blockers().to_string(), "");
  EXPECT_EQ((Blocker::kMoving | Blocker::kAppBusy).to_string(), "app_busy,moving");
  EXPECT_EQ(Blockers(Blocker::kNoTarget).to_string(), "no_target");
}

TEST(AddressTest, TravelsToLwipAndBack) {
  for (const char* text : {"10.77.0.1", "fd77::1:2"}) {
    const IpAddress address = *IpAddress::parse(text);
    EXPECT_EQ(from_lwip(to_lwip(address)), address);
  }
}

}  // namespace
}  // namespace migd::test
