// What of loss recovery and congestion control travels with a connection, beside the windows: plain
// values, times relative to the capture. A connection that comes without starts with the defaults.
#pragma once

#include <cstdint>
#include <optional>

#include "base/seq.h"
#include "base/time.h"

namespace migd {

// Of windows, and of sums of bytes: more has no meaning, and may not travel.
inline constexpr std::uint32_t kCwndMax = 1u << 30;

// Bytes in flight, one behind the other from SND.UNA to SND.NXT, that have the same to tell.
struct SentRange {
  std::uint32_t length = 0;  // in sequence space
  bool sacked = false;
  bool lost = false;
  bool resent = false;         // since it was taken for lost
  bool retransmitted = false;  // at least once
  Duration sent_ago{};         // the last time

  bool operator==(const SentRange&) const = default;
};

struct RecoveryState {
  // ---- RACK (RFC 8985) ----
  bool rack_known = false;
  Duration rack_sent_ago{};
  SeqNum rack_end;
  Duration rack_rtt{};
  SeqNum rack_highest;
  bool reordering_seen = false;
  std::uint8_t reordering_multiplier = 1;
  std::uint8_t reordering_persist = 0;
  std::optional<SeqNum> reordering_round;
  Duration min_rtt{}, min_rtt_previous{}, min_rtt_age{};  // zero: not known

  // ---- proportional rate reduction (RFC 6937) ----
  std::uint32_t prr_delivered = 0, prr_sent = 0, prr_flight = 1;

  // ---- tail loss probe (RFC 8985 7) and F-RTO (RFC 5682) ----
  std::optional<SeqNum> probe_end;
  bool probe_repeated = false;  // it carried nothing new
  std::uint8_t frto_step = 0;

  // ---- undoing (RFC 3522, RFC 3708, RFC 4015) ----
  bool undo_possible = false;
  SeqNum undo_proven, undo_end;  // duplicates between the two prove something
  std::uint32_t undo_unproven = 0;
  std::uint32_t undo_cwnd = 0, undo_ssthresh = 0;
  std::optional<std::uint32_t> undo_timestamp;  // of the first retransmission

  // ---- sending ----
  SeqNum limited_until;  // what was sent up to here filled the congestion window
  Duration send_idle{};  // since the last segment
};

enum class CongestionAlgorithm : std::uint8_t { kReno, kCubic };

struct CongestionState {
  CongestionAlgorithm algorithm = CongestionAlgorithm::kCubic;

  // ---- CUBIC (RFC 9438), bytes ----
  bool epoch_known = false;  // of congestion avoidance
  Duration epoch_ago{};
  bool after_time_out = false;  // the next one begins anew (4.8)
  std::uint32_t epoch_cwnd = 0;
  std::uint32_t cwnd_max = 0;       // W_max; 0: no loss yet
  std::uint32_t cwnd_prior = 0;     // before the last reduction
  std::uint32_t cwnd_reno = 0;      // W_est
  std::uint32_t undo_cwnd_max = 0;  // before the last reduction

  // ---- HyStart++ (RFC 9406) ----
  std::uint8_t slow_start_rounds = 0;  // of conservative slow start; 0: not in it
  std::optional<SeqNum> round_end;
  Duration round_rtt{}, round_rtt_last{}, slow_start_rtt{};  // least of the round; zero: none
  std::uint8_t round_samples = 0;
};

}  // namespace migd
