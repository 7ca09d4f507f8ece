// Connections as a client sees them, without and with moves between every two steps.
#include "tests/stack/test_bed.h"

namespace migd::test {
namespace {

using namespace std::string_view_literals;

class ConnectionTest : public ::testing::TestWithParam<std::tuple<Moves, bool>> {
 protected:
  static PeerOptions peer_options() {
    return std::get<1>(GetParam()) ? PeerOptions::v6() : PeerOptions{};
  }
  TestBed bed{std::get<0>(GetParam()), peer_options()};
};

INSTANTIATE_TEST_SUITE_P(All, ConnectionTest,
                         ::testing::Combine(::testing::Values(Moves::kNever, Moves::kEachStep,
                                                              Moves::kThereAndBack),
                                            ::testing::Bool()),
                         [](const auto& test) {
                           return to_string(std::get<0>(test.param)) +
                                  (std::get<1>(test.param) ? "V6" : "V4");
                         });

TEST_P(ConnectionTest, Handshake) {
  bed.give(bed.peer.syn());
  const SeenSegment syn_ack = bed.take_one();
  EXPECT_EQ(syn_ack.flags, tcp_flag::kSyn | tcp_flag::kAck);
  EXPECT_EQ(syn_ack.ack, SeqNum(1001));
  EXPECT_EQ(syn_ack.window_field, 65535);
  EXPECT_TRUE(syn_ack.options.sack_permitted);
  ASSERT_TRUE(syn_ack.options.timestamps);
  EXPECT_EQ(syn_ack.options.timestamps->echo, 5000u);
  EXPECT_EQ(syn_ack.options.window_scale, 5);
  const bool v6 = std::get<1>(GetParam());
  EXPECT_EQ(syn_ack.options.mss, 1500 - (v6 ? 60 : 40) - 144);
  EXPECT_EQ(bed.state(), TcpState::kSynReceived);

  bed.give(bed.peer.ack());
  EXPECT_TRUE(bed.take().empty());
  EXPECT_EQ(bed.state(), TcpState::kEstablished);
  EXPECT_EQ(bed.owner->established.size(), 1u);
}

TEST_P(ConnectionTest, DataFromThePeer) {
  bed.connect();
  const Bytes all = ramp(50000);
  for (std::size_t at = 0; at < all.size(); at += 1000) {
    bed.give(bed.peer.data(ByteView(all).subspan(at, 1000)));
  }
  bed.run_for(1s);
  EXPECT_EQ(bed.app.received, all);
  EXPECT_EQ(bed.peer.acked, bed.peer.send_next);
}

TEST_P(ConnectionTest, DataToThePeer) {
  bed.connect();
  const Bytes all = ramp(200000);
  std::size_t written = 0;
  for (int rounds = 0; rounds < 1000 && bed.peer.received.size() < all.size(); ++rounds) {
    written += bed.write(
        ByteView(all).subspan(written, std::min<std::size_t>(30000, all.size() - written)));
    bed.give(bed.peer.ack());
  }
  EXPECT_EQ(bed.peer.received, all);
  bed.give(bed.peer.ack());
  EXPECT_EQ(bed.find()->unacknowledged(), 0u);
  EXPECT_EQ(bed.find()->unsent(), 0u);
}

TEST_P(ConnectionTest, PeerClosesFirst) {
  bed.connect();
  bed.give(bed.peer.fin(ramp(10)));
  EXPECT_EQ(bed.state(), TcpState::kCloseWait);
  EXPECT_EQ(bed.app.peer_closed_events > 0, true);
  EXPECT_EQ(bed.peer.acked, bed.peer.send_next);
  bed.write(ramp(5000));
  bed.give(bed.peer.ack());
  bed.close();
  EXPECT_EQ(bed.state(), TcpState::kLastAck);
  EXPECT_TRUE(bed.peer.fin_received);
  EXPECT_EQ(bed.peer.received, ramp(5000));
  bed.give(bed.peer.ack());
  EXPECT_EQ(bed.find(), nullptr);
  EXPECT_EQ(bed.app.closed, CloseReason::kFinished);
  EXPECT_FALSE(bed.peer.reset_received);
}

TEST_P(ConnectionTest, WeCloseFirst) {
  bed.connect();
  bed.write(ramp(5000));
  bed.shutdown_write();
  EXPECT_EQ(bed.state(), TcpState::kFinWait1);
  bed.give(bed.peer.ack());
  EXPECT_TRUE(bed.peer.fin_received);
  bed.give(bed.peer.ack());
  EXPECT_EQ(bed.state(), TcpState::kFinWait2);
  bed.give(bed.peer.data(ramp(3000)));
  bed.give(bed.peer.fin());
  EXPECT_EQ(bed.state(), TcpState::kTimeWait);
  EXPECT_EQ(bed.app.received, ramp(3000));
  EXPECT_EQ(bed.peer.acked, bed.peer.send_next);
  EXPECT_EQ(bed.app.closed, CloseReason::kFinished);
  bed.run_for(61s);
  EXPECT_EQ(bed.find(), nullptr);
}

}  // namespace
}  // namespace migd::test
