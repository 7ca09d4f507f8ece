// HyStart++ (RFC 9406): slow start ends when the round trip of a round has grown over that of the
// round before; first it goes on more slowly for some rounds, in case that was a mere fluctuation.
#pragma once

#include <cstdint>
#include <optional>

#include "base/seq.h"
#include "base/time.h"
#include "stack/recovery/state.h"

namespace migd {

class HyStart {
 public:
  static constexpr Duration kThresholdMin = 4ms, kThresholdMax = 16ms;
  static constexpr int kThresholdDivisor = 8;
  static constexpr std::uint8_t kSamples = 8;         // of a round, before it is judged
  static constexpr std::uint32_t kGrowthDivisor = 4;  // of conservative slow start
  static constexpr std::uint8_t kRounds = 5;          // of it

  // An ACK of new data in slow start; `round_trip`: zero when it measures none. True when slow
  // start is over.
  bool on_ack(SeqNum acknowledged, SeqNum send_next, Duration round_trip);
  // By how many bytes the window grows.
  std::uint32_t growth(std::uint32_t bytes) const {
    return rounds_ > 0 ? bytes / kGrowthDivisor : bytes;
  }
  // Slow start begins anew after a time-out; what is above is only for the first one.
  void stop() { *this = HyStart(); }

  bool is_judging() const { return rounds_ > 0; }  // it has seen the round trip grow

  void capture(CongestionState& out) const;
  void restore(const CongestionState& state);

 private:
  bool begin_round(SeqNum acknowledged, SeqNum send_next);

  std::uint8_t rounds_ = 0;  // of conservative slow start, the present one counted
  std::optional<SeqNum> round_end_;
  Duration round_rtt_{};  // least of this round
  Duration last_rtt_{};   // least of the round before
  Duration baseline_{};   // round_rtt_ when conservative slow start began
  std::uint8_t samples_ = 0;
};

}  // namespace migd
