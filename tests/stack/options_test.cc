// What is negotiated, and the traps in it.
#include "tests/stack/test_bed.h"

namespace migd::test {
namespace {

class OptionsTest : public MovingTest {
 protected:
  std::uint64_t quarantined() {
    std::uint64_t sum = 0;
    for (TestNode* node : {&bed().a, &bed().b}) {
      sum += node->metrics.counter("migd_stack_quarantined_connections_total").value;
    }
    return sum;
  }
  // Reads and acknowledges until everything has arrived.
  void pump(std::size_t size) {
    for (int i = 0; i < 4000 && bed().peer.received.size() < size; ++i) {
      bed().give(bed().peer.ack());
      bed().run_for(300ms);
    }
    EXPECT_EQ(bed().peer.received, ramp(size));
    EXPECT_EQ(quarantined(), 0u);
  }
};
MIGD_MOVING_SUITE(OptionsTest);

TEST_P(OptionsTest, TinyMssIsRaised) {
  PeerOptions options = peer_options();
  options.mss = 1;
  rebuild(options);
  bed().connect();
  bed().write(ramp(500));
  for (const SeenSegment& segment : bed().take())
    EXPECT_LE(segment.payload.size(), 88u - 12u);
  pump(500);
}

TEST_P(OptionsTest, MssOfZeroIsIgnored) {
  PeerOptions options = peer_options();
  options.mss = 0;
  options.timestamps = false;
  rebuild(options);
  bed().connect();
  bed().write(ramp(2000));
  EXPECT_EQ(bed().take().at(0).payload.size(), v6() ? 1220u : 536u);  // RFC 9293 MUST-15
}

TEST_P(OptionsTest, MssCountsOnTheSynOnly) {
  PeerOptions options = peer_options();
  options.timestamps = false;
  rebuild(options);
  bed().connect();
  bed().give(bed().peer.data(ramp(10), {.options = Bytes{2, 4, 0, 100}}));
  bed().take();
  bed().write(ramp(3000));
  EXPECT_EQ(bed().take().at(0).payload.size(), v6() ? 1440u : 1460u);
}

TEST_P(OptionsTest, SecondSynChangesNothing) {
  rebuild(plain_options());
  bed().give(bed().peer.syn());
  bed().take();
  Peer other(peer_options());  // the same tuple and sequence number, and all options
  bed().give(other.syn());
  const SeenSegment again = bed().take_one();
  EXPECT_TRUE(again.has(tcp_flag::kSyn));
  EXPECT_FALSE(again.options.timestamps || again.options.window_scale ||
               again.options.sack_permitted);
  bed().give(bed().peer.ack());
  bed().find()->bind("app", &bed().app);
  bed().write(ramp(100));
  EXPECT_FALSE(bed().take_one().options.timestamps);
}

TEST_P(OptionsTest, WindowScaleIsAtMost14) {
  PeerOptions options = peer_options();
  options.window_scale = 15;
  rebuild(options);
  bed().connect();
  EXPECT_EQ(quarantined(), 0u);
  EXPECT_EQ(bed().write(ramp(100)), 100u);
}

TEST_P(OptionsTest, SwitchedOffHere) {
  StackOptions stack = default_options();
  stack.timestamps = stack.sack = stack.window_scaling = false;
  rebuild(peer_options(), stack);
  bed().give(bed().peer.syn());
  const SeenSegment answer = bed().take_one();
  EXPECT_FALSE(answer.options.timestamps || answer.options.window_scale ||
               answer.options.sack_permitted);
  bed().give(bed().peer.ack());
  bed().find()->bind("app", &bed().app);
  bed().give(bed().peer.data(ramp(100)));
  bed().write(ramp(100));
  EXPECT_EQ(bed().app.received, ramp(100));
  EXPECT_LE(bed().take().at(0).window_field, 65535);
}

TEST_P(OptionsTest, MalformedOptionsHurtNobody) {
  rebuild(plain_options());
  bed().connect();
  const std::vector<Bytes> malformed = {
      {1, 1, 1, 8},
      {1, 1, 1, 2},
      {8, 10, 0, 0},
      {2, 4, 1, 1},
      {5, 0, 0, 0},
      {5, 1, 0, 0},
      {5, 255, 0, 0},
      {254, 4, 0, 0},
      {3, 3, 20, 3},
      {4, 2, 8, 10},
      {8, 2, 1, 1},
      {0, 0, 0, 255},
      {5, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5},
  };
  std::size_t at = 0;
  for (const Bytes& options : malformed) {
    bed().give(bed().peer.data(ramp(10, at), {.options = options}));
    at += 10;
  }
  EXPECT_EQ(bed().app.received, ramp(at));
  EXPECT_EQ(quarantined(), 0u);
  EXPECT_EQ(bed().write(ramp(100)), 100u);
  EXPECT_FALSE(bed().take().back().options.timestamps);
}

// A window that is hardly there, and then another (tcp-requirements.md section 4: any client could
// abort the process with it).
TEST_P(OptionsTest, TinyWindowsAndWrites) {
  for (const bool timestamps : {false, true}) {
    PeerOptions options = plain_options();
    options.timestamps = timestamps;
    options.window = 0;
    rebuild(options);
    bed().connect();
    const Bytes all = ramp(600);
    std::size_t written = 0;
    for (const std::uint32_t window : {0u, 1u, 3u, 2u, 10u, 5u, 21u, 22u, 23u, 40u, 100u}) {
      written += bed().write(ByteView(all).subspan(written, 30));
      bed().peer.window = window;
      bed().give(bed().peer.ack());
      written += bed().write(ByteView(all).subspan(written, 10));
      bed().run_for(300ms);
    }
    EXPECT_EQ(quarantined(), 0u);
    bed().peer.window = 1000;
    pump(written);
  }
}

// A peer that repeats what was lost has less room than it said behind the hole, for it has not read
// what it got meanwhile: an older sequence number, but a newer acknowledgement.
TEST_P(OptionsTest, ARepeatedSegmentTellsOfTheWindow) {
  rebuild(plain_options());
  bed().connect();
  EXPECT_EQ(bed().write(ramp(4000)), 4000u);
  const SeqNum una = bed().peer.first_byte;
  bed().take();
  Peer& peer = bed().peer;
  const SeqNum hole = peer.send_next;
  peer.send_next = hole + 200;
  const Bytes data = ramp(200);
  const ByteView repeated = ByteView(data).first(100), behind = ByteView(data).subspan(100);
  bed().give(peer.segment(tcp_flag::kAck, behind, {.seq = hole + 100, .ack = una, .window = 9000}));
  bed().give(
      peer.segment(tcp_flag::kAck, repeated, {.seq = hole, .ack = una + 1000, .window = 3100}));
  bed().write(ramp(4000));
  bed().run_for(100ms);
  for (const SeenSegment& segment : bed().take())
    EXPECT_LE(segment.seq + static_cast<std::uint32_t>(segment.payload.size()), una + 4100);
}

TEST_P(OptionsTest, OlderTimestampsAreNotEchoed) {  // RFC 7323 4.3, 5.5
  bed().connect();
  const auto echoed = [&](std::uint32_t tsval) {
    bed().peer.tsval = tsval;
    bed().give(bed().peer.data(ramp(10)));
    bed().take();
    bed().write(ramp(10));
    const auto sent = bed().take();
    bed().peer.tsval = tsval;
    bed().give(bed().peer.ack());
    return sent.at(0).options.timestamps->echo;
  };
  EXPECT_EQ(echoed(9000), 9000u);
  bed().peer.tsval = 8999;  // PAWS: what is older is not taken, nor echoed
  bed().give(bed().peer.ack());
  EXPECT_EQ(bed().take_one().options.timestamps->echo, 9000u);
  EXPECT_EQ(echoed(9001), 9001u);
  bed().run_for(24h * 24 + 12h);
  EXPECT_EQ(echoed(9000), 9000u);
}

TEST_P(OptionsTest, LargestWindowIsUnsigned) {  // RFC 9293 MUST-1
  PeerOptions options = plain_options();
  options.window = 0;
  rebuild(options);
  bed().give(bed().peer.syn());
  bed().peer.window = 0x8000;
  bed().give(bed().peer.ack());
  bed().find()->bind("app", &bed().app);
  bed().take();
  bed().write(ramp(5000));
  EXPECT_EQ(bed().peer.received.size(), 5000u);
}

}  // namespace
}  // namespace migd::test
