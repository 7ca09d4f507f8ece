// Connections as a client sees them, from the SYN to the end, without and with moves between every
// two steps.
#include "tests/stack/test_bed.h"

namespace migd::test {
namespace {

class ConnectionTest : public MovingTest {};
MIGD_MOVING_SUITE(ConnectionTest);

TEST_P(ConnectionTest, Handshake) {
  bed().give(bed().peer.syn());
  const SeenSegment syn_ack = bed().take_one();
  EXPECT_EQ(syn_ack.flags, tcp_flag::kSyn | tcp_flag::kAck);
  EXPECT_EQ(syn_ack.ack, SeqNum(1001));
  EXPECT_EQ(syn_ack.window_field, 65535);
  EXPECT_TRUE(syn_ack.options.sack_permitted);
  ASSERT_TRUE(syn_ack.options.timestamps);
  EXPECT_EQ(syn_ack.options.timestamps->echo, 5000u);
  EXPECT_EQ(syn_ack.options.window_scale, 5);
  // What the peer sends must fit the larger encapsulation too.
  EXPECT_EQ(syn_ack.options.mss, 1500 - (v6() ? 60 : 40) - 144);
  EXPECT_EQ(bed().state(), TcpState::kSynReceived);
  EXPECT_EQ(bed().stack().counts().half_open, 1u);

  bed().give(bed().peer.ack());
  EXPECT_TRUE(bed().take().empty());
  EXPECT_EQ(bed().state(), TcpState::kEstablished);
  EXPECT_EQ(bed().owner->established.size(), 1u);
  EXPECT_EQ(bed().stack().counts().half_open, 0u);
  EXPECT_EQ(bed().moves_made > 0, moving());
}

TEST_P(ConnectionTest, HandshakeWithoutOptions) {
  PeerOptions options = plain_options();
  options.mss.reset();
  rebuild(options);
  bed().give(bed().peer.syn());
  const SeenSegment syn_ack = bed().take_one();
  EXPECT_FALSE(syn_ack.options.timestamps || syn_ack.options.window_scale ||
               syn_ack.options.sack_permitted);
  EXPECT_TRUE(syn_ack.options.mss);
  bed().give(bed().peer.ack());
  bed().owner->established.at(0)->bind("app", &bed().app);
  bed().write(ramp(2000));
  const auto sent = bed().take();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0].payload.size(), v6() ? 1220u : 536u);  // RFC 9293 3.7.1
  EXPECT_FALSE(sent[0].options.timestamps);
}

TEST_P(ConnectionTest, RepeatedSynIsAnsweredAlike) {
  bed().give(bed().peer.syn());
  const SeenSegment first = bed().take_one();
  bed().give(bed().peer.syn());
  const SeenSegment second = bed().take_one();
  EXPECT_EQ(second.seq, first.seq);
  EXPECT_EQ(second.flags, first.flags);
  EXPECT_EQ(second.options.window_scale, first.options.window_scale);
}

TEST_P(ConnectionTest, DataFromThePeer) {
  bed().connect();
  const Bytes all = ramp(50000);
  for (std::size_t at = 0; at < all.size(); at += 1000) {
    bed().give(bed().peer.data(ByteView(all).subspan(at, 1000)));
  }
  bed().run_for(1s);
  EXPECT_EQ(bed().app.received, all);
  EXPECT_EQ(bed().peer.acked, bed().peer.send_next);
  EXPECT_EQ(bed().find()->bytes_in(), all.size());
}

TEST_P(ConnectionTest, DataWithTheHandshakeAck) {
  bed().give(bed().peer.syn());
  bed().give(bed().peer.data(ramp(700)));
  ASSERT_EQ(bed().owner->established.size(), 1u);
  Connection& connection = *bed().find();
  EXPECT_EQ(connection.readable(), 700u);  // kept while nobody has the connection
  connection.bind("app", &bed().app);
  bed().deliver();
  EXPECT_EQ(bed().app.received, ramp(700));
}

TEST_P(ConnectionTest, DataToThePeer) {
  bed().connect();
  const Bytes all = ramp(200000);
  std::size_t written = 0;
  for (int rounds = 0; rounds < 1000 && bed().peer.received.size() < all.size(); ++rounds) {
    const std::size_t n = std::min<std::size_t>(30000, all.size() - written);
    written += bed().write(ByteView(all).subspan(written, n));
    bed().give(bed().peer.ack());
  }
  EXPECT_EQ(bed().peer.received, all);
  bed().give(bed().peer.ack());
  EXPECT_EQ(bed().find()->unacknowledged(), 0u);
  EXPECT_EQ(bed().find()->unsent(), 0u);
  EXPECT_EQ(bed().find()->bytes_out(), all.size());
}

TEST_P(ConnectionTest, SegmentsUseTheWholeMtu) {
  bed().connect();
  bed().write(ramp(5000));
  const auto sent = bed().take();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0].packet.size(), 1500u - (v6() ? 0u : 0u));
  EXPECT_TRUE(sent.back().has(tcp_flag::kPsh));
}

TEST_P(ConnectionTest, InitialWindowIsTenSegments) {
  bed().connect();
  bed().write(ramp(100000));
  std::size_t flight = 0;
  for (const SeenSegment& segment : bed().take())
    flight += segment.payload.size();
  const std::size_t mss = v6() ? 1440 : 1460;
  EXPECT_LE(flight, 10 * mss);
  EXPECT_GT(flight, 9 * mss);
}

TEST_P(ConnectionTest, PeerClosesFirst) {
  bed().connect();
  bed().give(bed().peer.fin(ramp(10)));
  EXPECT_EQ(bed().state(), TcpState::kCloseWait);
  EXPECT_EQ(bed().app.peer_closed_events, 1);
  EXPECT_TRUE(bed().find()->peer_closed());
  EXPECT_EQ(bed().peer.acked, bed().peer.send_next);
  bed().write(ramp(5000));
  bed().give(bed().peer.ack());
  bed().close();
  EXPECT_EQ(bed().state(), TcpState::kLastAck);
  EXPECT_TRUE(bed().peer.fin_received);
  EXPECT_EQ(bed().peer.received, ramp(5000));
  EXPECT_FALSE(bed().app.closed);
  bed().give(bed().peer.ack());
  EXPECT_EQ(bed().find(), nullptr);
  EXPECT_EQ(bed().app.closed, CloseReason::kFinished);
  EXPECT_EQ(bed().app.closed_events, 1);
  EXPECT_EQ(bed().owner->gone_reason, CloseReason::kFinished);
  EXPECT_FALSE(bed().peer.reset_received);
}

TEST_P(ConnectionTest, WeCloseFirst) {
  bed().connect();
  bed().write(ramp(5000));
  bed().shutdown_write();
  EXPECT_EQ(bed().state(), TcpState::kFinWait1);
  EXPECT_TRUE(bed().peer.fin_received);
  bed().give(bed().peer.ack());
  EXPECT_EQ(bed().state(), TcpState::kFinWait2);
  bed().give(bed().peer.data(ramp(3000)));
  bed().give(bed().peer.fin());
  EXPECT_EQ(bed().state(), TcpState::kTimeWait);
  EXPECT_EQ(bed().app.received, ramp(3000));
  EXPECT_EQ(bed().peer.acked, bed().peer.send_next);
  EXPECT_EQ(bed().app.closed, CloseReason::kFinished);
  EXPECT_FALSE(bed().owner->gone_reason == CloseReason::kFinished);  // the tuple is not free yet
  bed().run_for(61s);
  EXPECT_EQ(bed().find(), nullptr);
  EXPECT_EQ(bed().owner->gone_reason, CloseReason::kFinished);
}

TEST_P(ConnectionTest, BothCloseAtOnce) {
  bed().connect();
  bed().write(ramp(100));
  const SeqNum before = bed().peer.receive_next - 100;
  bed().shutdown_write();
  const SegmentChange crossed{.ack = before};
  bed().give(bed().peer.fin({}, crossed));
  EXPECT_EQ(bed().state(), TcpState::kClosing);
  bed().give(bed().peer.ack());
  EXPECT_EQ(bed().state(), TcpState::kTimeWait);
  EXPECT_EQ(bed().app.closed, CloseReason::kFinished);
  bed().run_for(61s);
  EXPECT_EQ(bed().find(), nullptr);
}

TEST_P(ConnectionTest, CloseBehindQueuedData) {
  bed().connect();
  const Bytes all = ramp(60000);
  EXPECT_EQ(bed().write(all), all.size());  // more than the initial window
  bed().close();
  for (int i = 0; i < 20 && !bed().peer.fin_received; ++i)
    bed().give(bed().peer.ack());
  EXPECT_TRUE(bed().peer.fin_received);
  EXPECT_EQ(bed().peer.received, all);
  bed().give(bed().peer.ack());
  EXPECT_EQ(bed().state(), TcpState::kFinWait2);
  EXPECT_FALSE(bed().peer.reset_received);
}

TEST_P(ConnectionTest, CloseWithUnreadDataSendsFin) {
  bed().app.reads = false;
  bed().connect();
  bed().give(bed().peer.data(ramp(900)));
  EXPECT_EQ(bed().find()->readable(), 900u);
  bed().close();
  EXPECT_TRUE(bed().peer.fin_received);
  EXPECT_FALSE(bed().peer.reset_received);
  EXPECT_EQ(bed().state(), TcpState::kFinWait1);
}

TEST_P(ConnectionTest, DataAfterCloseIsAnsweredWithReset) {
  bed().connect();
  bed().close();
  bed().give(bed().peer.ack());
  bed().give(bed().peer.data(ramp(10)));
  EXPECT_TRUE(bed().peer.reset_received);
  EXPECT_EQ(bed().find(), nullptr);
  EXPECT_EQ(bed().app.closed, CloseReason::kLocalAbort);
}

TEST_P(ConnectionTest, UnreadDataOutlivesTheEnd) {
  bed().app.reads = false;
  bed().connect();
  bed().shutdown_write();
  bed().give(bed().peer.ack());
  bed().give(bed().peer.fin(ramp(400)));
  EXPECT_EQ(bed().state(), TcpState::kTimeWait);
  EXPECT_FALSE(bed().app.closed);
  EXPECT_EQ(bed().find()->readable(), 400u);
  bed().app.reads = true;
  bed().consume_all();
  EXPECT_EQ(bed().app.received, ramp(400));
  EXPECT_EQ(bed().app.closed, CloseReason::kFinished);
}

TEST_P(ConnectionTest, Abort) {
  bed().connect();
  bed().give(bed().peer.data(ramp(10)));  // an ACK is owed: it must not come with the RST
  bed().take();
  bed().abort();
  const SeenSegment reset = bed().take_one();
  EXPECT_TRUE(reset.has(tcp_flag::kRst));
  EXPECT_EQ(reset.seq, bed().peer.receive_next);
  EXPECT_EQ(bed().find(), nullptr);
  EXPECT_EQ(bed().app.closed, CloseReason::kLocalAbort);
  EXPECT_EQ(bed().owner->gone_reason, CloseReason::kLocalAbort);
}

TEST_P(ConnectionTest, PeerResets) {
  bed().connect();
  bed().give(bed().peer.rst());
  EXPECT_TRUE(bed().take().empty());
  EXPECT_EQ(bed().app.closed, CloseReason::kPeerReset);
  EXPECT_EQ(bed().find(), nullptr);
}

TEST_P(ConnectionTest, PeerResetsDuringTheHandshake) {
  bed().give(bed().peer.syn());
  bed().take();
  bed().give(bed().peer.rst());
  EXPECT_TRUE(bed().take().empty());
  EXPECT_EQ(bed().find(), nullptr);
  EXPECT_EQ(bed().stack().counts().half_open, 0u);
  EXPECT_EQ(bed().owner->gone_reason, CloseReason::kPeerReset);
}

TEST_P(ConnectionTest, ResetInTheWindowIsChallenged) {  // RFC 5961 3.2
  bed().connect();
  bed().give(bed().peer.rst({.seq = bed().peer.send_next + 1}));
  EXPECT_TRUE(bed().take_one().pure_ack());
  EXPECT_EQ(bed().state(), TcpState::kEstablished);
}

TEST_P(ConnectionTest, SynOnALiveConnectionIsChallenged) {  // RFC 5961 4.2
  bed().connect();
  Bytes syn = bed().peer.segment(tcp_flag::kSyn, {}, {});
  bed().give(syn);
  EXPECT_TRUE(bed().take_one().pure_ack());
  EXPECT_EQ(bed().state(), TcpState::kEstablished);
}

TEST_P(ConnectionTest, WrongAckInTheHandshakeIsReset) {
  bed().give(bed().peer.syn());
  bed().take();
  for (const std::uint32_t off : {0u, 2u}) {
    const SeqNum wrong = bed().peer.receive_next - 1 + off;
    bed().give(bed().peer.ack({.ack = wrong}));
    const SeenSegment reset = bed().take_one();
    EXPECT_TRUE(reset.has(tcp_flag::kRst));
    EXPECT_EQ(reset.seq, wrong);
  }
  EXPECT_EQ(bed().state(), TcpState::kSynReceived);
}

// RFC 9293 3.10.7.4: the sequence number comes first. Whoever does not know it changes nothing.
TEST_P(ConnectionTest, WhatIsBeyondTheWindowIsNotUsed) {
  bed().connect();
  const SeqNum far = bed().peer.send_next + 0x40000000;
  bed().give(bed().peer.ack({.seq = far, .window = 0}));  // would close the window for good
  EXPECT_TRUE(bed().take_one().pure_ack());
  bed().give(bed().peer.rst({.seq = far}));
  EXPECT_TRUE(bed().take().empty());
  if (!moving()) {
    EXPECT_EQ(bed().stack().drops().of(DropReason::kBeyondWindow), 1u);
    EXPECT_EQ(bed().stack().drops().of(DropReason::kResetOutOfPlace), 1u);
  }
  EXPECT_EQ(bed().write(ramp(500)), 500u);
  EXPECT_EQ(bed().take_one().payload.size(), 500u) << "the window is open";
}

TEST_P(ConnectionTest, NobodyAnswersForAHandshakeOutOfItsWindow) {
  bed().give(bed().peer.syn());
  bed().take();
  for (const std::uint32_t off : {0x40000000u, 0xc0000000u}) {
    bed().give(bed().peer.ack({.seq = bed().peer.send_next + off, .ack = SeqNum(7)}));
    EXPECT_TRUE(bed().take().empty());
  }
  EXPECT_EQ(bed().state(), TcpState::kSynReceived);
}

TEST_P(ConnectionTest, TimeWaitAnswersARepeatedFin) {
  bed().connect();
  bed().close();
  bed().give(bed().peer.ack());
  const SeqNum fin = bed().peer.send_next;
  bed().give(bed().peer.fin());
  bed().take();
  bed().run_for(40s);
  bed().give(bed().peer.fin({}, {.seq = fin}));
  EXPECT_TRUE(bed().take_one().pure_ack());
  bed().run_for(40s);  // begun anew
  EXPECT_EQ(bed().state(), TcpState::kTimeWait);
  bed().run_for(30s);
  EXPECT_EQ(bed().find(), nullptr);
}

TEST_P(ConnectionTest, ASynThatMayNotFollowDoesNotResetTimeWait) {  // RFC 5961 4.2
  bed().connect();
  bed().close();
  bed().give(bed().peer.ack());
  bed().give(bed().peer.fin());
  EXPECT_EQ(bed().state(), TcpState::kTimeWait);
  bed().take();
  bed().peer.tsval -= 3;  // within the window, but of an older time
  bed().give(bed().peer.segment(tcp_flag::kSyn, {}, {}));
  EXPECT_TRUE(bed().take_one().pure_ack());
  EXPECT_EQ(bed().state(), TcpState::kTimeWait);
}

TEST_P(ConnectionTest, NewConnectionTakesOverTimeWait) {  // RFC 6191
  bed().connect();
  const ConnectionId first = bed().find()->id();
  const SeqNum old_sequence = bed().peer.receive_next;
  bed().close();
  bed().give(bed().peer.ack());
  bed().give(bed().peer.fin());
  EXPECT_EQ(bed().state(), TcpState::kTimeWait);
  bed().step();
  bed().run_for(1s);

  PeerOptions again = peer_options();
  again.iss = 5000000;
  const std::uint32_t tsval = bed().peer.tsval;
  bed().peer = Peer(again);
  bed().peer.tsval = tsval + 1000;
  bed().take();
  bed().give(bed().peer.syn());
  const SeenSegment syn_ack = bed().take_one();
  EXPECT_EQ(syn_ack.flags, tcp_flag::kSyn | tcp_flag::kAck);
  EXPECT_GT(syn_ack.seq, old_sequence);
  EXPECT_NE(bed().find()->id(), first);
  EXPECT_EQ(bed().owner->gone_reason, CloseReason::kFinished);
}

TEST_P(ConnectionTest, SmoothedRoundTripIsMeasured) {
  bed().connect();
  for (int i = 0; i < 20; ++i) {
    bed().write(ramp(100));
    bed().now += 30ms;
    bed().give(bed().peer.ack());
  }
  EXPECT_GT(bed().find()->smoothed_rtt(), 20ms);
  EXPECT_LT(bed().find()->smoothed_rtt(), 40ms);
}

TEST_P(ConnectionTest, LeastRoundTripIsThatOfAnEmptyWay) {
  bed().connect();
  for (const Duration round_trip : {5ms, 40ms, 80ms, 80ms, 80ms}) {
    bed().write(ramp(100));
    bed().now += round_trip;
    bed().give(bed().peer.ack());
  }
  EXPECT_LE(bed().find()->least_rtt(), 5ms);
  EXPECT_GT(bed().find()->least_rtt(), 0ms);
  EXPECT_GT(bed().find()->smoothed_rtt(), 30ms);
}

}  // namespace
}  // namespace migd::test
