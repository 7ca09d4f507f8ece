// Writing under limits.
#include "tests/stack/test_bed.h"

namespace migd::test {
namespace {

class BackPressureTest : public MovingTest {
 protected:
  void SetUp() override {
    StackOptions options = default_options();
    options.send_buffer = 200000;
    options.unsent_low_water = 50000;
    rebuild(peer_options(), options);
  }
};
MIGD_MOVING_SUITE(BackPressureTest);

TEST_P(BackPressureTest, UnsentDataIsLimited) {
  bed().connect();
  const Bytes all = ramp(400000);
  EXPECT_EQ(bed().find()->writable(), 50000u);
  EXPECT_EQ(bed().write(all), 50000u);
  Connection& connection = *bed().find();
  EXPECT_EQ(connection.unsent() + connection.unacknowledged(), 50000u);
  EXPECT_GT(connection.unacknowledged(), 0u);
  EXPECT_LE(connection.unsent(), 50000u);
}

TEST_P(BackPressureTest, WritableComesAgain) {
  bed().connect();
  const Bytes all = ramp(300000);
  std::size_t written = 0;
  bed().app.writable_events = 0;
  for (int i = 0; i < 2000 && written < all.size(); ++i) {
    const std::size_t writable = bed().find()->writable();
    const std::size_t n = bed().write(ByteView(all).subspan(written));
    EXPECT_EQ(n, std::min(writable, all.size() - written));
    written += n;
    const int events = bed().app.writable_events;
    for (int acks = 0; acks < 50 && bed().app.writable_events == events && written < all.size();
         ++acks) {
      bed().give(bed().peer.ack());
    }
  }
  EXPECT_EQ(written, all.size());
  EXPECT_GT(bed().app.writable_events, 0);
  for (int i = 0; i < 100 && bed().peer.received.size() < all.size(); ++i) {
    bed().give(bed().peer.ack());
  }
  EXPECT_EQ(bed().peer.received, all);
}

TEST_P(BackPressureTest, PausedWritingDrainsAndGoesOn) {
  bed().connect();
  const Bytes all = ramp(120000);
  const std::size_t written = bed().write(all);
  Connection* const connection = bed().find();
  connection->pause_writing(true);
  bed().app.writable_events = 0;
  for (int i = 0; i < 100; ++i) {
    Frame ack = bed().owner->pool->copy_of(bed().peer.ack());
    bed().stack().input(ack, bed().now);  // not give(): a move would end the pause
    bed().deliver();
  }
  EXPECT_EQ(connection->unsent() + connection->unacknowledged(), 0u);
  EXPECT_EQ(bed().app.writable_events, 0);
  EXPECT_EQ(connection->writable(), 0u);
  EXPECT_EQ(connection->write(ramp(10)), 0u);
  connection->pause_writing(false);
  bed().deliver();
  EXPECT_EQ(bed().app.writable_events, 1);
  const std::size_t more = bed().write(ByteView(all).subspan(written));
  EXPECT_GT(more, 0u);
}

// The window closes, its right edge stays (the peer watches that), and probes are answered.
TEST_P(BackPressureTest, PausedReadingHoldsThePeer) {
  bed().connect();
  bed().give(bed().peer.data(ramp(1000)));
  EXPECT_EQ(bed().app.received, ramp(1000));
  Connection* const connection = bed().find();
  const auto hand_over = [&](const Bytes& packet) {  // not give(): a move would end the pause
    Frame frame = bed().owner->pool->copy_of(packet);
    bed().stack().input(frame, bed().now);
    bed().deliver();
  };
  connection->pause_reading(true);
  std::size_t sent = 1000;
  while (bed().peer.send_next != bed().peer.right_edge) {  // what was read before may open it yet
    const auto room = static_cast<std::uint32_t>(bed().peer.right_edge - bed().peer.send_next);
    const std::size_t size = std::min<std::size_t>(1400, room);
    hand_over(bed().peer.data(ramp(size, sent)));
    sent += size;
    ASSERT_LT(sent, 1u << 21);
  }
  bed().take();
  const SeqNum edge = bed().peer.right_edge;
  for (int i = 0; i < 3; ++i) {
    hand_over(bed().peer.data(ramp(1, sent)));  // a probe of the closed window
    bed().peer.send_next = edge;
    const SeenSegment answer = bed().take_one();
    EXPECT_TRUE(answer.pure_ack()) << answer.describe();
    EXPECT_EQ(answer.ack, edge);
    EXPECT_EQ(answer.window_field, 0u);
  }
  EXPECT_EQ(connection->readable(), 0u);
  EXPECT_TRUE(connection->peek_front().empty());
  EXPECT_EQ(bed().app.received.size(), 1000u);
  EXPECT_FALSE(connection->application_done());
  connection->pause_reading(false);
  bed().deliver();
  EXPECT_EQ(bed().app.received, ramp(sent));
  EXPECT_GT(bed().peer.right_edge, edge);
}

TEST_P(BackPressureTest, PausedReadingEndsWithTheConnection) {
  for (const bool reset : {false, true}) {
    rebuild(peer_options());
    bed().connect();
    bed().find()->pause_reading(true);
    const auto hand_over = [&](const Bytes& packet) {
      Frame frame = bed().owner->pool->copy_of(packet);
      bed().stack().input(frame, bed().now);
      bed().deliver();
    };
    hand_over(bed().peer.fin(ramp(100)));
    EXPECT_EQ(bed().app.peer_closed_events, 0);
    EXPECT_FALSE(bed().find()->peer_closed());
    if (reset) {
      hand_over(bed().peer.rst());
      EXPECT_EQ(bed().app.closed, CloseReason::kPeerReset);
      continue;
    }
    bed().find()->pause_reading(false);
    bed().deliver();
    EXPECT_EQ(bed().app.received, ramp(100));
    EXPECT_EQ(bed().app.peer_closed_events, 1);
  }
}

TEST_P(BackPressureTest, ReadLaterComesAgainAfterTheWindowWasOpened) {
  bed().connect();
  bed().app.reads = false;
  bed().give(bed().peer.data(ramp(1000)));
  const int events = bed().app.readable_events;
  bed().find()->read_later();
  bed().find()->read_later();  // once is enough
  bed().stack().deliver_events(bed().now);
  EXPECT_EQ(bed().app.readable_events, events + 1);
}

TEST_P(BackPressureTest, SendBufferIsLimited) {
  StackOptions options = default_options();
  options.send_buffer = 30000;
  rebuild(peer_options(), options);
  bed().connect();
  EXPECT_EQ(bed().write(ramp(50000)), 30000u);
  EXPECT_EQ(bed().find()->writable(), 0u);
  EXPECT_EQ(bed().write(ramp(10)), 0u);
  bed().give(bed().peer.ack());
  EXPECT_GT(bed().find()->writable(), 0u);
  for (int i = 0; i < 20; ++i)
    bed().give(bed().peer.ack());
  EXPECT_EQ(bed().find()->writable(), 30000u);
  EXPECT_GT(bed().app.writable_events, 0);
}

TEST_P(BackPressureTest, NothingIsWrittenAfterTheEnd) {
  bed().connect();
  bed().shutdown_write();
  EXPECT_EQ(bed().find()->writable(), 0u);
  EXPECT_EQ(bed().find()->write(ramp(10)), 0u);
}

}  // namespace
}  // namespace migd::test
