#include "stack/recovery/resting_recovery.h"

#include <gtest/gtest.h>

namespace migd {
namespace {

constexpr Instant kSent{Duration(1000s)};
constexpr Duration kRoundTrip = 30ms;

// A connection that has sent one segment, which is acknowledged when a test says so.
struct RestingRecoveryTest : ::testing::Test {
  RestingRecoveryTest() {
    pcb.state = ESTABLISHED;
    pcb.flags = TF_SACK;
    pcb.mss = 1460;
    pcb.cwnd = 14600;
    pcb.snd_wnd = pcb.snd_wnd_max = 65535;
    pcb.lastack = pcb.snd_nxt = 5000;
    recovery.wake(pcb).begin(pcb);
    send();
  }

  LossRecovery::At at(Instant now) { return {pcb, rtt, now, ack}; }
  void send() {
    header.seqno = lwip_htonl(pcb.snd_nxt);
    segment = {};
    segment.tcphdr = &header;
    segment.len = 100;
    pcb.unacked = &segment;
    recovery.wake(pcb).on_segment_sent(at(kSent), segment, 1);
    pcb.snd_nxt += 100;
  }
  void acknowledge(Instant now) {
    recovery.wake(pcb).on_segment_acked(at(now), segment);
    pcb.unacked = nullptr;
    pcb.lastack = pcb.snd_nxt;
    recovery.wake(pcb).on_ack(at(now), 100, false);
  }
  RecoveryState captured(Instant now) const {
    RecoveryState state;
    CongestionState congestion;
    recovery.look(pcb, [&](const LossRecovery& r) { r.capture(now, state, congestion); });
    return state;
  }

  tcp_pcb pcb{};
  tcp_hdr header{};
  tcp_seg segment{};
  RttEstimator rtt;
  LossRecovery::Ack ack;
  RestingRecovery recovery{CongestionAlgorithm::kCubic};
};

TEST_F(RestingRecoveryTest, IsThereWhileSomethingIsInFlight) {
  recovery.rest_if_idle(pcb);
  EXPECT_FALSE(recovery.resting());
}

TEST_F(RestingRecoveryTest, RestsWhenAllIsAcknowledgedAndKnowsWhatGoesOnToMatter) {
  const Instant acknowledged = kSent + kRoundTrip;
  acknowledge(acknowledged);
  recovery.rest_if_idle(pcb);
  ASSERT_TRUE(recovery.resting());
  const RecoveryState state = captured(acknowledged + 1s);
  EXPECT_EQ(state.min_rtt, kRoundTrip);
  EXPECT_EQ(state.min_rtt_age, Duration(1s));
  EXPECT_EQ(state.send_idle, kRoundTrip + 1s);
  EXPECT_EQ(state.limited_until, SeqNum(pcb.lastack));

  send();
  EXPECT_FALSE(recovery.resting());
  EXPECT_EQ(captured(acknowledged).min_rtt, kRoundTrip);
}

TEST_F(RestingRecoveryTest, WhatWasLostIsNotForgotten) {
  recovery.wake(pcb).on_time_out(at(kSent + 1s), true);
  acknowledge(kSent + 2s);
  recovery.rest_if_idle(pcb);
  EXPECT_FALSE(recovery.resting()) << "CUBIC knows where the loss was";
}

}  // namespace
}  // namespace migd
