// SYN cookies: handshakes that no connection is kept for until they are complete.
#include "stack/syn_cookies.h"

#include <algorithm>

#include "tests/stack/test_bed.h"

namespace migd::test {
namespace {

StackOptions no_backlog() {
  StackOptions options = default_options();
  options.backlog = 0;
  return options;
}

// ---- the cookie itself ----

class SynCookieTest : public ::testing::Test {
 protected:
  std::optional<HandshakeTerms> redeem(const SynCookies::Cookie& cookie, Instant at) {
    return cookies_.redeem(tuple_, sequence_, cookie.sequence, cookie.timestamp, at);
  }

  const FourTuple tuple_{PeerOptions().remote, PeerOptions().local};
  const SeqNum sequence_{77};
  const Instant now_{Duration(1000s)};
  SynCookies cookies_{SipKey{1, 2, 3}};
};

TEST_F(SynCookieTest, RemembersTheTerms) {
  for (const bool sack : {false, true}) {
    for (int scale = -1; scale <= 14; ++scale) {
      HandshakeTerms terms{.mss = 1460, .timestamps = true, .window_scale = {}, .sack = sack};
      if (scale >= 0) terms.window_scale = static_cast<std::uint8_t>(scale);
      SynCookies cookies(SipKey{9});
      const SynCookies::Cookie cookie = cookies.make(tuple_, sequence_, terms, now_);
      EXPECT_EQ(cookies.redeem(tuple_, sequence_, cookie.sequence, cookie.timestamp, now_), terms);
    }
  }
}

TEST_F(SynCookieTest, TheMssIsRoundedDown) {
  const std::pair<int, int> expected[] = {{1, 88},      {88, 88},     {535, 88},    {536, 536},
                                          {1219, 536},  {1459, 1440}, {1460, 1460}, {8939, 1460},
                                          {8940, 8940}, {65495, 8940}};
  for (const auto& [offered, used] : expected) {
    SynCookies cookies(SipKey{});
    const SynCookies::Cookie cookie = cookies.make(
        tuple_, sequence_,
        {.mss = static_cast<std::uint16_t>(offered), .window_scale = {}, .sack = false}, now_);
    const auto terms = cookies.redeem(tuple_, sequence_, cookie.sequence, {}, now_);
    ASSERT_TRUE(terms);
    EXPECT_EQ(terms->mss, used);
    EXPECT_FALSE(terms->timestamps || terms->sack || terms->window_scale);
  }
}

TEST_F(SynCookieTest, IsGoodOnceAndForAWhile) {
  const HandshakeTerms terms{.mss = 1460, .timestamps = true, .window_scale = {}};
  EXPECT_FALSE(cookies_.outstanding(now_));
  const SynCookies::Cookie cookie = cookies_.make(tuple_, sequence_, terms, now_);
  EXPECT_TRUE(cookies_.outstanding(now_ + SynCookies::kPeriod));
  EXPECT_TRUE(redeem(cookie, now_ + SynCookies::kPeriod));
  EXPECT_FALSE(redeem(cookie, now_ + SynCookies::kPeriod)) << "a replay";
  const Instant late = now_ + 2 * SynCookies::kPeriod;
  SynCookies fresh(SipKey{1, 2, 3});
  EXPECT_FALSE(fresh.redeem(tuple_, sequence_, cookie.sequence, cookie.timestamp, late));
  EXPECT_FALSE(cookies_.outstanding(late));
}

TEST_F(SynCookieTest, IsGoodForNobodyElse) {
  const HandshakeTerms terms{.mss = 1460, .timestamps = true, .window_scale = 7, .sack = true};
  const SynCookies::Cookie good = cookies_.make(tuple_, sequence_, terms, now_);
  FourTuple other = tuple_;
  ++other.peer.port;
  EXPECT_FALSE(cookies_.redeem(other, sequence_, good.sequence, good.timestamp, now_));
  EXPECT_FALSE(cookies_.redeem(tuple_, sequence_ + 1, good.sequence, good.timestamp, now_));
  EXPECT_FALSE(cookies_.redeem(tuple_, sequence_, good.sequence, {}, now_)) << "no timestamp";
  for (int bit = 0; bit < 32; ++bit) {
    const SeqNum wrong(good.sequence.value() ^ 1u << bit);
    EXPECT_FALSE(cookies_.redeem(tuple_, sequence_, wrong, good.timestamp, now_)) << bit;
  }
  for (int bit = 0; bit < 6; ++bit) {  // what the timestamp remembers is covered as well
    EXPECT_FALSE(
        cookies_.redeem(tuple_, sequence_, good.sequence, good.timestamp ^ 1u << bit, now_));
  }
  EXPECT_FALSE(cookies_.redeem(tuple_, sequence_, good.sequence, good.timestamp + 64, now_))
      << "of the future";
  EXPECT_FALSE(
      SynCookies(SipKey{3}).redeem(tuple_, sequence_, good.sequence, good.timestamp, now_));
  EXPECT_TRUE(redeem(good, now_));
}

TEST_F(SynCookieTest, WhatIsRememberedOfUsedOnesIsBounded) {
  const HandshakeTerms terms{.mss = 1460, .window_scale = {}};
  FourTuple tuple = tuple_;
  SynCookies::Cookie first;
  for (std::uint32_t i = 0; i <= SynCookies::kRedeemedMax; ++i) {
    tuple.peer = {IpAddress::v4(0x0a4d0000 + i), 1};
    const SynCookies::Cookie cookie = cookies_.make(tuple, sequence_, terms, now_);
    if (i == 0) first = cookie;
    ASSERT_TRUE(cookies_.redeem(tuple, sequence_, cookie.sequence, {}, now_));
  }
  tuple.peer.address = IpAddress::v4(0x0a4d0000);
  EXPECT_TRUE(cookies_.redeem(tuple, sequence_, first.sequence, {}, now_)) << "forgotten";
}

// ---- a whole connection ----

class CookieHandshakeTest : public MovingTest {
 protected:
  void SetUp() override { rebuild(peer_options(), no_backlog()); }
  std::uint64_t redeemed() {
    return bed().a.metrics.counter("migd_syn_cookies_redeemed_total").value;
  }
};

TEST_P(CookieHandshakeTest, GoesOnLikeAnyOther) {
  bed().give(bed().peer.syn());
  const SeenSegment answer = bed().take_one();
  EXPECT_EQ(answer.flags, tcp_flag::kSyn | tcp_flag::kAck);
  EXPECT_EQ(bed().stack().counts().total, 0u) << "nothing is kept";
  EXPECT_TRUE(bed().peer.their_sack && bed().peer.their_timestamps);

  bed().give(bed().peer.ack());
  EXPECT_EQ(redeemed(), 1u);
  EXPECT_EQ(bed().a.opened, 1);
  EXPECT_EQ(bed().a.syn_answered.size(), 1u);
  ASSERT_EQ(bed().a.established.size(), 1u);
  EXPECT_TRUE(bed().take().empty()) << "the SYN/ACK is not repeated";
  bed().a.established[0]->bind("app", &bed().app);
  bed().deliver();

  const Bytes request = ramp(3000), response = ramp(100000);
  bed().give(bed().peer.data(ByteView(request).first(1400)));
  bed().give(bed().peer.data(ByteView(request).subspan(1400)));
  EXPECT_EQ(bed().app.received, request);
  bed().write(response);
  for (int i = 0; i < 40 && bed().peer.received.size() < response.size(); ++i)
    bed().give(bed().peer.ack());
  EXPECT_EQ(bed().peer.received, response);
  bed().close();
  bed().give(bed().peer.fin());
  EXPECT_EQ(bed().state(), TcpState::kTimeWait);
}

TEST_P(CookieHandshakeTest, KeepsWhatWasNegotiated) {
  bed().connect();
  bed().write(ramp(20000));
  const auto sent = bed().take();
  ASSERT_FALSE(sent.empty());
  EXPECT_TRUE(sent[0].options.timestamps);
  EXPECT_GT(sent.size(), 5u) << "a window that is scaled takes it";
  bed().give(bed().peer.data(ramp(1000), {.seq = bed().peer.send_next + 500}));
  const auto answers = bed().take();
  EXPECT_TRUE(std::any_of(answers.begin(), answers.end(), [](const SeenSegment& segment) {
    return segment.options.sack_block_count == 1;
  }));
}

TEST_P(CookieHandshakeTest, WithoutTimestampsTheMssIsAll) {
  PeerOptions options = peer_options();
  options.timestamps = false;
  options.mss = 1300;
  rebuild(options, no_backlog());
  bed().connect();
  EXPECT_EQ(redeemed(), 1u);
  EXPECT_FALSE(bed().peer.their_sack);
  bed().write(ramp(4000));
  const auto sent = bed().take();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0].payload.size(), 1220u);  // the next below 1300 that a cookie can say
}

TEST_P(CookieHandshakeTest, DataMayComplete) {
  bed().give(bed().peer.syn());
  bed().take();
  bed().give(bed().peer.data(ramp(100)));  // the ACK before it was lost
  ASSERT_EQ(bed().a.established.size(), 1u);
  EXPECT_EQ(bed().find()->readable(), 100u);
}

TEST_P(CookieHandshakeTest, IsNoRoundTrip) {
  bed().give(bed().peer.syn());
  bed().run_for(300ms);
  bed().give(bed().peer.ack());
  EXPECT_EQ(bed().find()->smoothed_rtt(), Duration::zero());
}

TEST_P(CookieHandshakeTest, AReplayOpensNothing) {
  bed().give(bed().peer.syn());
  const Bytes ack = bed().peer.ack();
  bed().give(ack);
  ASSERT_EQ(bed().a.established.size(), 1u);
  bed().give(bed().peer.rst());
  ASSERT_EQ(bed().find(), nullptr);
  Frame frame = bed().a.pool->copy_of(ack);
  EXPECT_EQ(bed().a.stack->input(frame, bed().now), Stack::InputVerdict::kNoConnection);
  EXPECT_FALSE(bed().a.stack->complete_handshake(frame, bed().now));
  EXPECT_EQ(bed().a.stack->counts().total, 0u);
}

TEST_P(CookieHandshakeTest, WhatCompletesNothingIsLeftWithTheCaller) {
  bed().give(bed().peer.syn());
  bed().take();
  const auto refused = [&](const Bytes& packet, Duration later = {}) {
    Frame frame = bed().a.pool->copy_of(packet);
    return !bed().a.stack->complete_handshake(frame, bed().now + later);
  };
  EXPECT_TRUE(refused(bed().peer.ack({.ack = bed().peer.receive_next + 16})));
  EXPECT_TRUE(refused(bed().peer.ack({.seq = bed().peer.send_next + 1})));
  EXPECT_TRUE(refused(bed().peer.rst()));
  EXPECT_TRUE(refused(bed().peer.segment(tcp_flag::kSyn | tcp_flag::kAck, {}, {})));
  EXPECT_TRUE(refused(bed().peer.ack(), 2 * SynCookies::kPeriod)) << "too late";
  EXPECT_EQ(bed().a.stack->counts().total, 0u);
  EXPECT_TRUE(bed().take().empty()) << "and nothing is said";
}

TEST_P(CookieHandshakeTest, ABadChecksumIsCounted) {
  bed().give(bed().peer.syn());
  Frame frame = bed().a.pool->copy_of(bed().peer.ack({.corrupt = true}));
  EXPECT_TRUE(bed().a.stack->complete_handshake(frame, bed().now));
  EXPECT_EQ(bed().a.stack->drops().of(DropReason::kBadChecksum), 1u);
  EXPECT_EQ(bed().a.stack->counts().total, 0u);
}

MIGD_MOVING_SUITE(CookieHandshakeTest);

// ---- a flood ----

TEST(SynFloodTest, MemoryIsBoundedAndOthersGetIn) {
  StackOptions options = default_options();
  options.backlog = 8;
  TestBed bed(Moves::kNever, {}, options);
  const auto flood = [&bed](std::uint32_t first, std::uint32_t count) {
    for (std::uint32_t i = first; i < first + count; ++i) {
      PeerOptions stranger;
      stranger.local = {IpAddress::v4(0x0a4d8000 + i % 0x7000),
                        static_cast<std::uint16_t>(1 + i % 60000)};
      Frame frame = bed.a.pool->copy_of(Peer(stranger).syn());
      EXPECT_EQ(bed.a.stack->input(frame, bed.now), Stack::InputVerdict::kTaken);
    }
    bed.a.stack->deliver_events(bed.now);
    bed.a.sent.clear();
  };
  flood(0, 20000);
  EXPECT_EQ(bed.stack().counts().total, 8u);
  bed.connect();  // among them
  flood(20000, 20000);
  const Bytes request = ramp(1000);
  bed.give(bed.peer.data(request));
  EXPECT_EQ(bed.app.received, request);
  EXPECT_EQ(bed.stack().counts().total, 9u);
  EXPECT_EQ(bed.stack().counts().half_open, 8u);
  EXPECT_GE(bed.a.metrics.counter("migd_syn_cookies_sent_total").value, 39000u);
  for (const Instant end = bed.now + 5min; bed.stack().next_deadline() < end;) {
    bed.stack().on_deadline(bed.stack().next_deadline());  // nobody answers those that were kept
    bed.a.sent.clear();
  }
  EXPECT_EQ(bed.stack().counts().half_open, 0u);
}

// RFC 6191: the connection that is in TIME_WAIT makes room for the one that follows it.
TEST(SynFloodTest, TimeWaitIsFollowedInspiteOfIt) {
  TestBed bed(Moves::kNever, {}, no_backlog());
  bed.connect();
  bed.close();
  bed.give(bed.peer.ack());
  bed.give(bed.peer.fin());
  ASSERT_EQ(bed.state(), TcpState::kTimeWait);
  const SeqNum last = bed.peer.receive_next;
  bed.take();
  PeerOptions again;
  again.iss = bed.peer.send_next.value() + 1000;
  Peer next(again);
  next.tsval = bed.peer.tsval + 100;
  bed.peer = next;
  bed.give(bed.peer.syn());
  const SeenSegment answer = bed.take_one();
  EXPECT_GT(answer.seq, last);
  EXPECT_EQ(bed.stack().counts().half_open, 1u);
}

}  // namespace
}  // namespace migd::test
