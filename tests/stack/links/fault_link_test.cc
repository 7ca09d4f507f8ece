#include "stack/links/fault_link.h"

#include <gtest/gtest.h>

#include "stack/links/memory_link.h"
#include "tests/support/packets.h"
#include "tests/support/recording_sink.h"
#include "tests/support/sim_loop.h"
#include "tests/support/sim_rng.h"

namespace migd {
namespace {

using sim::SimRng;

// `near` is wrapped, `far` sees what its faults leave.
class FaultLinkTest : public ::testing::Test {
 protected:
  void make(const FaultOptions& outgoing, const FaultOptions& incoming) {
    auto [near, far] = MemoryLink::make_pair(
        {1500, true, true, true}, pool_,
        [this](MemoryLink& to, Frame frame) { to.deliver(std::move(frame), loop_.now()); });
    far_ = std::move(far);
    near_ = std::make_unique<FaultLink>(std::move(near), loop_, pool_, outgoing, outgoing_rng_,
                                        incoming, incoming_rng_);
    near_->set_receiver(&at_near_);
    far_->set_receiver(&at_far_);
  }
  Frame packet(std::size_t payload) {
    return pool_->copy_of(test::tcp_packet({.payload = test::ramp(payload)}));
  }
  Frame train(std::size_t payload, std::uint16_t gso_size) {
    Frame frame = packet(payload);
    frame.offload = {Offload::Gso::kTcp, gso_size, Offload::Checksum::kPartial};
    return frame;
  }

  std::shared_ptr<FramePool> pool_ = FramePool::create();
  sim::SimLoop world_;
  sim::SimNodeLoop loop_{world_, {}};
  SimRng outgoing_rng_{1}, incoming_rng_{2};
  test::RecordingSink at_near_, at_far_;
  std::unique_ptr<MemoryLink> far_;
  std::unique_ptr<FaultLink> near_;
};

TEST_F(FaultLinkTest, DirectionsHaveFaultsOfTheirOwn) {
  make({.loss = 1}, {});
  near_->send(packet(100));
  far_->send(packet(100));
  EXPECT_TRUE(at_far_.frames.empty());
  EXPECT_EQ(at_near_.frames.size(), 1u);
  EXPECT_EQ(near_->frames_dropped(), 1u);
}

TEST_F(FaultLinkTest, TrainsAreCutSoThatPacketsAreLost) {
  make({.loss = 0.5}, {.loss = 0.5});
  near_->send(train(50'000, 1000));
  far_->send(train(50'000, 1000));
  for (const auto* sink : {&at_near_, &at_far_}) {
    EXPECT_GT(sink->frames.size(), 10u);
    EXPECT_LT(sink->frames.size(), 40u);
    for (const Frame& frame : sink->frames) {
      EXPECT_EQ(frame.offload.gso, Offload::Gso::kNone);
      EXPECT_TRUE(test::checksums_hold(frame.bytes()));
    }
  }
}

TEST_F(FaultLinkTest, DamageIsVisibleToTheReceiver) {
  make({.corruption = 1}, {});
  Bytes bytes = test::tcp_packet({.payload = test::ramp(1400)});
  test::make_partial(bytes);
  int noticed = 0;
  for (int i = 0; i < 50; ++i) {
    Frame frame = pool_->copy_of(bytes);
    frame.offload.checksum = Offload::Checksum::kPartial;
    near_->send(std::move(frame));
    const auto ip = parse_ip(at_far_.frames.back().bytes());
    if (!ip || !l4_checksum_ok(*ip, at_far_.frames.back())) ++noticed;
  }
  EXPECT_EQ(noticed, 50);
}

TEST_F(FaultLinkTest, DelayedFramesComeByTheLoopsTimer) {
  make({.delay = 3ms}, {.delay = 5ms});
  near_->send(packet(100));
  far_->send(packet(100));
  EXPECT_TRUE(at_far_.frames.empty());
  EXPECT_TRUE(at_near_.frames.empty());
  world_.run_until(Instant(10ms));
  ASSERT_EQ(at_far_.times.size(), 1u);
  EXPECT_EQ(at_far_.times[0], Instant(3ms));
  ASSERT_EQ(at_near_.times.size(), 1u);
  EXPECT_EQ(at_near_.times[0], Instant(5ms));
  EXPECT_GE(at_near_.batches, 1) << "what was delayed is a batch too";
}

}  // namespace
}  // namespace migd
