// A stack tells which connections it has, from the SYN to the end of TIME_WAIT.
#include "base/known_flows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/stack/test_bed.h"

namespace migd::test {
namespace {

class KnownFlowsOfStackTest : public MovingTest {
 protected:
  void SetUp() override {
    StackOptions options = default_options();
    options.known_flows = &known_;
    rebuild(peer_options(), options);
  }
  bool known() { return known_.knows(flow()); }
  bool none() const {
    return std::all_of(slots_.begin(), slots_.end(), [](std::uint8_t slot) { return slot == 0; });
  }

 private:
  static FourTuple flow() { return {peer_options().remote, peer_options().local}; }

  std::vector<std::uint8_t> slots_ = std::vector<std::uint8_t>(KnownFlows::kSlots);
  KnownFlows known_{slots_.data(), {1, 0x9e3779b97f4a7c15}};
};
MIGD_MOVING_SUITE(KnownFlowsOfStackTest);

TEST_P(KnownFlowsOfStackTest, FromTheSynToTheEndOfTimeWait) {
  EXPECT_TRUE(none());
  bed().give(bed().peer.syn());
  EXPECT_TRUE(known());
  bed().connect();
  EXPECT_TRUE(known());
  bed().give(bed().peer.data(ramp(3000)));
  bed().close();
  bed().give(bed().peer.ack());
  bed().give(bed().peer.fin());
  bed().deliver();
  EXPECT_EQ(bed().stack().counts().resting, 1u);
  EXPECT_TRUE(known());
  bed().run_for(200s);
  EXPECT_TRUE(none());
}

TEST_P(KnownFlowsOfStackTest, UntilAReset) {
  bed().connect();
  EXPECT_TRUE(known());
  bed().abort();
  bed().deliver();
  EXPECT_TRUE(none());
}

}  // namespace
}  // namespace migd::test
