// Receiving: order, selective acknowledgment, windows, and what is dropped under which name.
#include "base/limits.h"
#include "tests/stack/test_bed.h"

namespace migd::test {
namespace {

class ReceiveTest : public MovingTest {
 protected:
  // The bytes [at, at + size) of the peer's stream, which begins with the ramp.
  Bytes part(std::size_t at, std::size_t size) {
    return bed().peer.data(ramp(size, at), {.seq = begin() + static_cast<std::uint32_t>(at)});
  }
  SeqNum begin() { return SeqNum(bed().peer.options.iss + 1); }
  void sent_up_to(std::size_t at) {
    bed().peer.send_next = begin() + static_cast<std::uint32_t>(at);
  }
  std::vector<std::pair<std::uint32_t, std::uint32_t>> blocks(const SeenSegment& segment) {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> result;
    for (std::size_t i = 0; i < segment.options.sack_block_count; ++i) {
      const TcpOptions::SackBlock& block = segment.options.sack_blocks[i];
      result.emplace_back(block.left - begin(), block.right - begin());
    }
    return result;
  }
  std::uint64_t dropped(DropReason reason) { return bed().owner->stack->drops().of(reason); }
};
MIGD_MOVING_SUITE(ReceiveTest);

using Blocks = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

TEST_P(ReceiveTest, OutOfOrderDataIsSackedMostRecentFirst) {  // RFC 2018 section 4
  bed().connect();
  bed().give(part(1000, 500));
  EXPECT_EQ(blocks(bed().take_one()), (Blocks{{1000, 1500}}));
  bed().give(part(3000, 500));
  EXPECT_EQ(blocks(bed().take_one()), (Blocks{{3000, 3500}, {1000, 1500}}));
  bed().give(part(5000, 500));
  EXPECT_EQ(blocks(bed().take_one()), (Blocks{{5000, 5500}, {3000, 3500}, {1000, 1500}}));
  bed().give(part(1500, 500));
  EXPECT_EQ(blocks(bed().take_one()), (Blocks{{1000, 2000}, {5000, 5500}, {3000, 3500}}));
  EXPECT_TRUE(bed().app.received.empty());

  bed().give(part(2000, 1000));
  EXPECT_EQ(blocks(bed().take_one()), (Blocks{{1000, 3500}, {5000, 5500}}));
  sent_up_to(5500);
  bed().give(part(0, 1000));
  EXPECT_EQ(blocks(bed().take_one()), (Blocks{{5000, 5500}}));
  EXPECT_EQ(bed().app.received, ramp(3500));
  bed().give(part(3500, 1500));
  EXPECT_TRUE(blocks(bed().take_one()).empty());
  EXPECT_EQ(bed().app.received, ramp(5500));
}

// RFC 2883 4: the first block tells of what has come twice, the others of what is held.
TEST_P(ReceiveTest, WhatComesTwiceIsTold) {
  bed().connect();
  bed().give(part(0, 1000));
  sent_up_to(1000);
  bed().run_for(100ms);
  bed().take();
  bed().give(part(0, 1000));
  EXPECT_EQ(blocks(bed().take_one()), (Blocks{{0, 1000}}));
  bed().give(part(3000, 500));
  bed().take();
  bed().give(part(3000, 500));
  EXPECT_EQ(blocks(bed().take_one()), (Blocks{{3000, 3500}, {3000, 3500}}));
  sent_up_to(3500);
  bed().give(part(500, 1000));  // half of it
  EXPECT_EQ(blocks(bed().take_one()), (Blocks{{500, 1000}, {3000, 3500}}));
  bed().give(part(1500, 1500));
  EXPECT_TRUE(blocks(bed().take_one()).empty());
}

// A sender that has lost something has a small window: it waits for no delayed acknowledgment.
TEST_P(ReceiveTest, WhatComesAfterAGapIsAckedAtOnce) {
  if (moving()) return;  // a move sends what is owed anyway
  bed().connect();
  sent_up_to(2000);
  bed().give(part(1000, 1000));
  bed().give(part(0, 1000));
  bed().take();
  for (std::size_t i = 2; i < 17; ++i) {
    bed().give(bed().peer.data(ramp(1000, i * 1000)));
    EXPECT_TRUE(bed().take_one().pure_ack()) << i;
  }
  bed().give(bed().peer.data(ramp(100, 17000)));
  bed().give(bed().peer.data(ramp(100, 17100)));
  bed().take();
  bed().give(bed().peer.data(ramp(100, 17200)));
  EXPECT_TRUE(bed().take().empty());
}

TEST_P(ReceiveTest, TheWindowGrowsWhileTheSenderFillsIt) {
  if (moving()) return;  // a connection that moves within each round trip measures none
  StackOptions options = default_options();
  options.window = 3u << 20;
  rebuild(peer_options(), options);
  bed().give(bed().peer.syn());
  bed().run_for(20ms);
  bed().give(bed().peer.ack());
  bed().find()->bind("app", &bed().app);
  const auto window = [this] { return bed().peer.right_edge - bed().peer.send_next; };
  EXPECT_LE(window(), 1 << 20);
  const auto fill = [&](std::int32_t share) {  // of what the window allows, in a round trip
    for (std::int32_t left = window() / share; left > 0; left -= 50'000) {
      bed().give(bed().peer.data(ramp(static_cast<std::size_t>(std::min(left, 50'000))), {}));
    }
    bed().run_for(20ms);
  };
  for (int i = 0; i < 10; ++i)
    fill(3);
  EXPECT_LE(window(), 1 << 20);  // it is not the window that holds this sender back
  for (int i = 0; i < 6; ++i)
    fill(1);
  EXPECT_GT(window(), (3 << 20) * 9 / 10);
  EXPECT_LE(window(), 3 << 20);
}

TEST_P(ReceiveTest, WithoutSackDuplicateAcks) {
  rebuild(plain_options());
  bed().connect();
  bed().give(part(1000, 500));
  const SeenSegment ack = bed().take_one();
  EXPECT_EQ(ack.ack, begin());
  EXPECT_EQ(ack.options.sack_block_count, 0u);
  sent_up_to(1500);
  bed().give(part(0, 1000));
  bed().run_for(1s);
  EXPECT_EQ(bed().app.received, ramp(1500));
}

TEST_P(ReceiveTest, OutOfOrderDataIsNeverForgotten) {
  bed().connect();
  bed().give(part(1000, 1000));
  bed().give(part(4000, 1000));
  bed().run_for(10h);
  bed().take();
  sent_up_to(5000);
  bed().give(part(0, 1000));
  EXPECT_EQ(bed().peer.acked, begin() + 2000);
  bed().give(part(2000, 2000));
  EXPECT_EQ(bed().peer.acked, begin() + 5000);
  EXPECT_EQ(bed().app.received, ramp(5000));
}

TEST_P(ReceiveTest, OverlapsAndRepetitions) {
  bed().connect();
  bed().give(part(500, 1000));
  bed().give(part(1200, 1000));
  bed().give(part(400, 300));
  bed().give(part(2000, 100));
  bed().give(part(500, 1000));
  sent_up_to(2200);
  bed().give(part(0, 600));
  bed().give(part(0, 600));
  bed().give(part(100, 2100));
  bed().run_for(1s);
  EXPECT_EQ(bed().app.received, ramp(2200));
  EXPECT_EQ(bed().peer.acked, begin() + 2200);
}

TEST_P(ReceiveTest, FinOutOfOrder) {
  bed().connect();
  bed().give(bed().peer.fin(ramp(500, 1000), {.seq = begin() + 1000}));
  EXPECT_EQ(bed().state(), TcpState::kEstablished);
  bed().peer.send_next = begin() + 1501;
  bed().give(part(0, 1000));
  EXPECT_EQ(bed().state(), TcpState::kCloseWait);
  EXPECT_EQ(bed().app.received, ramp(1500));
  EXPECT_EQ(bed().app.peer_closed_events, 1);
  EXPECT_EQ(bed().peer.acked, begin() + 1501);
}

TEST_P(ReceiveTest, LoneFinOutOfOrder) {
  bed().connect();
  bed().give(bed().peer.fin({}, {.seq = begin() + 1000}));
  bed().peer.send_next = begin() + 1001;
  bed().give(part(0, 1000));
  EXPECT_EQ(bed().state(), TcpState::kCloseWait);
  EXPECT_EQ(bed().app.received, ramp(1000));
}

TEST_P(ReceiveTest, WindowClosesAndOpens) {
  StackOptions options = default_options();
  options.window = 100000;
  rebuild(peer_options(), options);
  bed().app.reads = false;
  bed().connect();
  std::size_t sent = 0;
  while (bed().peer.right_edge > bed().peer.send_next && sent < 300000) {
    const auto room = static_cast<std::size_t>(bed().peer.right_edge - bed().peer.send_next);
    const std::size_t n = std::min<std::size_t>(room, 1400);
    bed().give(bed().peer.data(ramp(n, sent)));
    sent += n;
    bed().run_for(50ms);
  }
  EXPECT_GE(sent, 99000u);
  EXPECT_LE(sent, 100000u + 3000u);
  EXPECT_EQ(bed().find()->readable(), sent);
  EXPECT_EQ(bed().peer.acked, bed().peer.send_next);  // nothing within the window was dropped
  // A probe of a byte beyond the window is answered and not taken.
  bed().take();
  bed().give(bed().peer.data(ramp(1, sent), {.seq = bed().peer.send_next}));
  bed().peer.send_next = bed().peer.acked;
  EXPECT_EQ(bed().find()->readable(), sent);

  bed().take();
  bed().app.reads = true;
  bed().consume_all();
  EXPECT_EQ(bed().app.received, ramp(sent));
  EXPECT_GE(bed().peer.right_edge - bed().peer.send_next, 90000);  // and the peer has heard of it
}

TEST_P(ReceiveTest, TinySegmentsNeverMoveTheEdgeBack) {
  StackOptions options = default_options();
  options.window = 1u << 20;
  rebuild(peer_options(), options);
  bed().app.reads = false;
  bed().connect();
  for (std::size_t i = 0; i < 700; ++i)
    bed().give(bed().peer.data(ramp(1 + i % 7, i * 8)));
  bed().run_for(1s);
  EXPECT_EQ(bed().peer.acked, bed().peer.send_next);  // the peer watches the edge
}

TEST_P(ReceiveTest, ManySingleBytes) {
  bed().app.reads = false;
  bed().connect();
  const Bytes all = ramp(3000);
  const int each = moving() ? 10 : 1;
  for (std::size_t i = 0; i < all.size(); i += static_cast<std::size_t>(each)) {
    bed().give(bed().peer.data(ByteView(all).subspan(i, static_cast<std::size_t>(each))));
  }
  EXPECT_EQ(bed().find()->readable(), all.size());
  Bytes middle(100);
  EXPECT_EQ(bed().find()->peek(2000, middle), 100u);
  EXPECT_EQ(middle, ramp(100, 2000));
  bed().app.reads = true;
  bed().consume_all();
  EXPECT_EQ(bed().app.received, all);
}

TEST_P(ReceiveTest, LargeTrains) {
  bed().connect();
  const Bytes all = ramp(300000);
  for (std::size_t at = 0; at < all.size(); at += 60000) {
    bed().give(
        bed().peer.data(ByteView(all).subspan(at, 60000)),
        {.gso = Offload::Gso::kTcp, .gso_size = 1304, .checksum = Offload::Checksum::kVerified});
  }
  EXPECT_EQ(bed().app.received, all);
  EXPECT_EQ(bed().peer.acked, bed().peer.send_next);
}

TEST_P(ReceiveTest, FirstOutOfOrderSegmentBeyondTheWindow) {  // lwIP bug 56397
  StackOptions options = default_options();
  options.window = 8000;
  rebuild(peer_options(), options);
  bed().app.reads = false;
  bed().connect();
  bed().give(part(7900, 1000));
  sent_up_to(8000);
  for (std::size_t at = 0; at < 7900; at += 790)
    bed().give(part(at, 790));
  bed().run_for(1s);
  EXPECT_EQ(bed().find()->readable(), 8000u);
  EXPECT_EQ(bed().peer.acked, begin() + 8000);
}

TEST_P(ReceiveTest, OutOfOrderSegmentsAreBounded) {
  StackOptions options = default_options();
  options.window = 64000;
  rebuild(plain_options(), options);
  bed().connect();
  if (moving()) return;  // a thousand moves of a thousand ranges
  for (std::size_t i = 0; i < 1000; ++i)
    bed().give(part(1 + 2 * i, 1));
  EXPECT_GT(dropped(DropReason::kOutOfMemory), 0u);
  EXPECT_EQ(bed().take().size(), 1000u);  // each is acknowledged all the same
  sent_up_to(2001);
  bed().give(part(0, 2001));
  EXPECT_EQ(bed().app.received, ramp(2001));
}

TEST_P(ReceiveTest, BadPacketsAreDroppedByName) {
  bed().connect();
  const auto drop = [this](Bytes packet, DropReason reason) {
    const std::uint64_t before = dropped(reason);
    Frame frame = bed().owner->pool->copy_of(packet);
    EXPECT_EQ(bed().stack().input(frame, bed().now), Stack::InputVerdict::kTaken);
    EXPECT_EQ(dropped(reason), before + 1) << to_string(reason);
    bed().deliver();
    EXPECT_TRUE(bed().take().empty());
  };
  drop(bed().peer.data(ramp(10), {.seq = begin(), .corrupt = true}), DropReason::kBadChecksum);
  Bytes packet = bed().peer.data(ramp(10), {.seq = begin()});
  Bytes cut = packet;
  cut.resize(cut.size() - 4);
  drop(cut, DropReason::kTruncated);
  Bytes offset = packet;
  offset[(v6() ? 40u : 20u) + 12] = 0xf0;  // the header is longer than the packet
  drop(offset, v6() ? DropReason::kBadTcpHeader : DropReason::kBadTcpHeader);
  Bytes protocol = udp_packet({.src = bed().peer.options.local, .dst = bed().peer.options.remote});
  drop(protocol, DropReason::kUnsupportedProtocol);
  drop(Bytes{}, DropReason::kTruncated);
  EXPECT_EQ(bed().find()->readable(), 0u);
}

TEST_P(ReceiveTest, OffloadedChecksumsAreNotVerified) {
  bed().connect();
  Bytes packet = bed().peer.data(ramp(100));
  make_partial(packet);
  bed().give(packet, {.checksum = Offload::Checksum::kPartial});
  EXPECT_EQ(bed().app.received, ramp(100));
}

// A peer that says where its stream ends, and sends more all the same.
TEST_P(ReceiveTest, AFinThatCameOutOfOrderEndsTheStream) {
  bed().connect();
  const SeqNum begin(bed().peer.options.iss + 1);
  bed().give(bed().peer.fin(ramp(10, 1000), {.seq = begin + 1000}));
  bed().give(bed().peer.data(ramp(1200), {.seq = begin}));
  EXPECT_EQ(bed().app.received, ramp(1010));
  EXPECT_EQ(bed().state(), TcpState::kCloseWait);
}

TEST_P(ReceiveTest, PacketsOfNobodyAreLeftWithTheCaller) {
  const auto left = [this](const Bytes& packet) {
    Frame frame = bed().owner->pool->copy_of(packet);
    EXPECT_EQ(bed().stack().input(frame, bed().now), Stack::InputVerdict::kNoConnection);
    ASSERT_TRUE(frame);
    EXPECT_EQ(to_bytes(frame.bytes()), packet);
    bed().deliver();
    EXPECT_TRUE(bed().take().empty());  // above all no RST
  };
  left(bed().peer.ack());
  left(bed().peer.data(ramp(100)));
  left(bed().peer.fin());
  left(bed().peer.rst());
  left(bed().peer.segment(tcp_flag::kSyn | tcp_flag::kAck, {}, {}));
  PeerOptions elsewhere = peer_options();
  elsewhere.remote.port = 81;
  left(Peer(elsewhere).syn());
  EXPECT_EQ(bed().stack().counts().total, 0u);
}

}  // namespace
}  // namespace migd::test
