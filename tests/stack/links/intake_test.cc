#include "stack/links/intake.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/sim_loop.h"

namespace migd {
namespace {

// Says in a line what it was given: frames by their first byte, what it was shown in brackets.
struct Listener : FrameSink {
  void on_frame(Frame frame, Instant) override { said += std::to_string(frame.data()[0]) + ' '; }
  void on_batch_end(Instant) override { said += "end "; }
  bool looks_ahead() const override { return ahead; }
  void look_ahead(std::span<const Frame> frames) override {
    said += "[ ";
    for (const Frame& frame : frames)
      said += std::to_string(frame.data()[0]) + ' ';
    said += "] ";
  }
  bool ahead = true;
  std::string said;
};

class IntakeTest : public ::testing::Test {
 protected:
  IntakeTest() { intake_.set_receiver(&listener_); }
  void take(std::uint8_t first, std::size_t size = 40) {
    Bytes packet(size);
    packet[0] = first;
    intake_.take(pool_->copy_of(packet));
  }

  sim::SimLoop world_;
  std::shared_ptr<FramePool> pool_ = FramePool::create();
  Listener listener_;
  sim::SimNodeLoop loop_{world_, {}};
  Intake intake_{loop_};
};

TEST_F(IntakeTest, FramesGoOnAtOnceIfNobodyLooksAhead) {
  listener_.ahead = false;
  take(1);
  take(2);
  EXPECT_EQ(listener_.said, "1 2 ");
  intake_.end_batch();
  EXPECT_EQ(listener_.said, "1 2 end ");
}

TEST_F(IntakeTest, AreShownBeforeTheyCome) {
  take(1);
  take(2);
  EXPECT_EQ(listener_.said, "");
  intake_.end_batch();
  EXPECT_EQ(listener_.said, "[ 1 2 ] 1 2 end ");
}

TEST_F(IntakeTest, AreNotKeptForMoreThanAGroup) {
  std::string shown, come;
  for (std::size_t i = 0; i < Intake::kGroup; ++i) {
    take(static_cast<std::uint8_t>(i));
    shown += std::to_string(i) + ' ';
  }
  EXPECT_EQ(listener_.said, "[ " + shown + "] " + shown);
  listener_.said.clear();
  take(99);
  intake_.end_batch();
  EXPECT_EQ(listener_.said, "99 end ") << "one alone need not be shown";
}

TEST_F(IntakeTest, ALargeOneGoesOnAtOnceBehindThoseBeforeIt) {
  take(1);
  take(2, FramePool::kSmall + 1);
  EXPECT_EQ(listener_.said, "1 2 ");
  take(3);
  listener_.ahead = false;
  take(4);
  EXPECT_EQ(listener_.said, "1 2 3 4 ");
}

TEST_F(IntakeTest, WithoutAReceiverTheyAreLetGo) {
  intake_.set_receiver(nullptr);
  take(1);
  intake_.end_batch();
  EXPECT_EQ(listener_.said, "");
}

}  // namespace
}  // namespace migd
