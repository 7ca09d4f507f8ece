#include "stack/links/memory_link.h"

#include <gtest/gtest.h>

#include "tests/support/packets.h"
#include "tests/support/recording_sink.h"

namespace migd {
namespace {

using test::RecordingSink;

class MemoryLinkTest : public ::testing::Test {
 protected:
  void make(const LinkCapabilities& capabilities) {
    links_ = MemoryLink::make_pair(capabilities, pool_, [this](MemoryLink& to, Frame frame) {
      if (held_back_) {
        on_the_way_.emplace_back(&to, std::move(frame));
      } else {
        to.deliver(std::move(frame), Instant(5ms));
      }
    });
    links_.first->set_receiver(&at_first_);
    links_.second->set_receiver(&at_second_);
  }

  std::shared_ptr<FramePool> pool_ = FramePool::create();
  RecordingSink at_first_, at_second_;
  MemoryLink::Pair links_;
  bool held_back_ = false;
  std::vector<std::pair<MemoryLink*, Frame>> on_the_way_;
};

TEST_F(MemoryLinkTest, FramesGoToTheOtherEnd) {
  make({});
  const Bytes packet = test::udp_packet({.payload = test::ramp(100)});
  links_.first->send(pool_->copy_of(packet));
  ASSERT_EQ(at_second_.frames.size(), 1u);
  EXPECT_EQ(to_bytes(at_second_.frames[0].bytes()), packet);
  EXPECT_EQ(at_second_.times[0], Instant(5ms));
  links_.second->send(pool_->copy_of(packet));
  EXPECT_EQ(at_first_.frames.size(), 1u);
  links_.second->end_batch(Instant(6ms));
  EXPECT_EQ(at_second_.batches, 1);
  EXPECT_EQ(at_first_.batches, 0);
}

TEST_F(MemoryLinkTest, CarrierDecidesWhenAndInWhichOrder) {
  make({});
  held_back_ = true;
  links_.first->send(pool_->copy_of(test::ramp(40, 1)));
  links_.first->send(pool_->copy_of(test::ramp(40, 2)));
  EXPECT_TRUE(at_second_.frames.empty());
  for (auto it = on_the_way_.rbegin(); it != on_the_way_.rend(); ++it) {
    EXPECT_EQ(it->first, links_.second.get());
    it->first->deliver(std::move(it->second), Instant(7ms));
  }
  ASSERT_EQ(at_second_.frames.size(), 2u);
  EXPECT_EQ(at_second_.frames[0].data()[0], 2);
}

TEST_F(MemoryLinkTest, WithoutCapabilitiesTrainsAreCutAndSummed) {
  make({});
  Bytes train = test::tcp_packet({.payload = test::ramp(3000)});
  test::make_partial(train);
  Frame frame = pool_->copy_of(train);
  frame.offload = {Offload::Gso::kTcp, 1000, Offload::Checksum::kPartial};
  links_.first->send(std::move(frame));
  ASSERT_EQ(at_second_.frames.size(), 3u);
  for (const Frame& received : at_second_.frames) {
    EXPECT_EQ(received.offload, Offload{}) << "to be verified by who receives it";
    EXPECT_TRUE(test::checksums_hold(received.bytes()));
  }
}

TEST_F(MemoryLinkTest, WithCapabilitiesTrainsStayWhole) {
  make({1500, true, true, true});
  Frame frame = pool_->copy_of(test::tcp_packet({.payload = test::ramp(3000)}));
  frame.offload = {Offload::Gso::kTcp, 1000, Offload::Checksum::kPartial};
  const Offload offload = frame.offload;
  links_.first->send(std::move(frame));
  ASSERT_EQ(at_second_.frames.size(), 1u);
  EXPECT_EQ(at_second_.frames[0].offload, offload);
}

TEST_F(MemoryLinkTest, WhatDoesNotFitIsDroppedAndCounted) {
  make({});
  links_.first->send(pool_->copy_of(test::udp_packet({.payload = test::ramp(1473)})));
  Frame broken = pool_->copy_of(Bytes(10, 0x45));
  broken.offload.checksum = Offload::Checksum::kPartial;
  links_.first->send(std::move(broken));
  EXPECT_TRUE(at_second_.frames.empty());
  EXPECT_EQ(links_.first->frames_dropped(), 2u);
  EXPECT_EQ(links_.second->frames_dropped(), 0u);
}

}  // namespace
}  // namespace migd
