// How much may be under way to a peer, and how fast it may leave: a congestion window in bytes
// (RFC 9002 section 7: slow start, then additive increase, multiplicative decrease once per round
// trip with loss) and a pacer that lets whole trains go.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace migd::channel {

struct CongestionOptions {
  std::size_t initial_window = 512u << 10;  // generous: a fabric, and blobs that fit
  std::size_t least_window = 32u << 10;
  std::size_t greatest_window = 8u << 20;
  std::size_t burst = 256u << 10;  // may leave at once after a pause
};

class Congestion {
 public:
  explicit Congestion(const CongestionOptions& options);

  std::size_t window() const { return window_; }
  std::size_t in_flight() const { return in_flight_; }
  bool window_open(std::size_t bytes) const { return in_flight_ + bytes <= window_; }
  // Not before this may `bytes` more leave. The rate is twice the window per round trip.
  Instant paced_until(std::size_t bytes, Instant now);

  void set_round_trip(Duration smoothed) { round_trip_ = smoothed; }
  void on_sent(std::size_t bytes, Instant now);
  void on_acked(std::size_t bytes, Instant sent_at);
  void on_lost(std::size_t bytes, Instant sent_at, Instant now);
  // What was in flight is given up: several probes in a row were not answered.
  void on_blackout() { window_ = options_.least_window; }

 private:
  double rate() const;  // bytes per nanosecond
  void refill(Instant now);

  const CongestionOptions options_;
  std::size_t window_;
  std::size_t slow_start_threshold_;
  std::size_t in_flight_ = 0;
  std::size_t acked_in_window_ = 0;
  Instant recovery_start_ = Instant::min();
  Duration round_trip_{};  // zero: not measured, no pacing
  double tokens_;
  Instant refilled_ = Instant::min();
};

}  // namespace migd::channel
