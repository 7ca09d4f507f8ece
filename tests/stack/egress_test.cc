// Trains: what leaves as one frame is, once cut, what would have left segment by segment.
#include <set>

#include "stack/links/segmenter.h"
#include "tests/stack/test_bed.h"

namespace migd::test {
namespace {

StackOptions with_trains(bool trains) {
  StackOptions options = default_options();
  options.link.checksum_offload = true;
  options.link.tcp_gso = trains;
  return options;
}

// All that the owner has sent, cut and summed as by a device.
std::vector<SeenSegment> cut(const std::vector<SeenSegment>& frames, FramePool& pool) {
  std::vector<SeenSegment> packets;
  for (const SeenSegment& frame : frames) {
    Frame whole = pool.copy_of(frame.packet);
    whole.offload = frame.offload;
    const auto done = conform(std::move(whole), LinkCapabilities{}, pool, [&](Frame packet) {
      packets.push_back(see(packet, frame.at).value());
    });
    EXPECT_TRUE(done);
  }
  return packets;
}

class EgressTest : public MovingTest {
 protected:
  // The same script on a device that cuts trains, and on one that does not.
  struct Sent {
    std::vector<SeenSegment> frames, packets;
  };
  Sent run(bool trains, const std::function<void(TestBed&)>& script) {
    TestBed& bed = rebuild(peer_options(), with_trains(trains));
    bed.connect();
    bed.take();
    script(bed);
    Sent sent;
    sent.frames = bed.take();
    sent.packets = cut(sent.frames, *bed.owner->pool);
    return sent;
  }

  Sent expect_equal(const std::function<void(TestBed&)>& script) {
    const Sent plain = run(false, script);
    Sent trains = run(true, script);
    EXPECT_EQ(plain.frames.size(), plain.packets.size());
    EXPECT_EQ(trains.packets.size(), plain.packets.size());
    for (std::size_t i = 0; i < std::min(trains.packets.size(), plain.packets.size()); ++i) {
      const SeenSegment &one = trains.packets[i], &other = plain.packets[i];
      EXPECT_EQ(one.describe(), other.describe()) << "packet " << i;
      EXPECT_EQ(one.payload, other.payload) << "packet " << i;
      EXPECT_EQ(one.options.timestamps.has_value(), other.options.timestamps.has_value());
      EXPECT_EQ(one.ip.hop_limit, other.ip.hop_limit);
    }
    return trains;
  }
};
MIGD_MOVING_SUITE(EgressTest);

TEST_P(EgressTest, ManySegmentsLeaveAsFewFrames) {
  const Sent sent = expect_equal([](TestBed& bed) {
    const Bytes all = ramp(150000);
    std::size_t written = 0;
    for (int i = 0; i < 200 && bed.peer.received.size() < all.size(); ++i) {
      written += bed.write(ByteView(all).subspan(written));
      bed.give(bed.peer.ack());
    }
    EXPECT_EQ(bed.peer.received, all);
  });
  EXPECT_LT(sent.frames.size() * 3, sent.packets.size());
  for (const SeenSegment& frame : sent.frames)
    EXPECT_LE(frame.packet.size(), 65535u);
}

TEST_P(EgressTest, AShortSegmentEndsATrain) {
  const Sent sent = expect_equal([](TestBed& bed) {
    bed.write(ramp(3000));
    bed.write(ramp(3000));  // behind a segment with PSH that is not full
    bed.write(ramp(10));
  });
  for (const SeenSegment& frame : sent.frames) {
    if (frame.offload.gso == Offload::Gso::kNone) continue;
    EXPECT_GT(frame.payload.size(), frame.offload.gso_size);
  }
}

TEST_P(EgressTest, TheFinClosesTheLastTrain) {
  const Sent sent = expect_equal([](TestBed& bed) {
    bed.write(ramp(9000));
    bed.shutdown_write();
    bed.run_for(1ms);
  });
  ASSERT_FALSE(sent.packets.empty());
  EXPECT_TRUE(sent.packets.back().has(tcp_flag::kFin));
  for (std::size_t i = 0; i + 1 < sent.packets.size(); ++i)
    EXPECT_FALSE(sent.packets[i].has(tcp_flag::kFin));
}

TEST_P(EgressTest, WhatIsSentAgainIsWhatItWas) {
  const Sent sent = expect_equal([](TestBed& bed) {
    bed.write(ramp(20000));
    bed.run_for(3s);  // nobody acknowledges
  });
  std::set<std::uint32_t> numbers;
  for (const SeenSegment& packet : sent.packets)
    numbers.insert(packet.seq.value());
  EXPECT_LT(numbers.size(), sent.packets.size());
}

// Segments of two connections, one behind the other, stay apart.
TEST(EgressQueue, ConnectionsDoNotMix) {
  TestNode node(1, with_trains(true), Instant(1000s));
  ASSERT_TRUE(node.stack->listen(PeerOptions{}.remote, "test", &node));
  PeerOptions first, second;
  second.local.port = 40001;
  Peer peers[] = {Peer(first), Peer(second)};
  Instant now(1000s);
  const auto give = [&](const Bytes& packet) {
    Frame frame = node.pool->copy_of(packet);
    node.stack->input(frame, now);
    node.stack->deliver_events(now);
    for (const SeenSegment& segment : node.sent)
      peers[segment.tuple.peer.port - 40000].take(segment);
    node.sent.clear();
  };
  for (Peer& peer : peers) {
    give(peer.syn());
    give(peer.ack());
  }
  ASSERT_EQ(node.established.size(), 2u);
  TestApp app;
  for (Connection* connection : node.established) {
    connection->bind("test", &app);
    connection->write(ramp(10000));
  }
  node.stack->deliver_events(now);
  for (const SeenSegment& segment : node.sent)
    peers[segment.tuple.peer.port - 40000].take(segment);
  for (Peer& peer : peers)
    EXPECT_EQ(peer.received, ramp(10000));
}

}  // namespace
}  // namespace migd::test
