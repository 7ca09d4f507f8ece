// How the congestion window grows with what is delivered, and shrinks with a loss. When that is so,
// stack/recovery/loss_recovery.h decides; the two windows are the PCB's.
//
//   Reno     RFC 5681, counting bytes (RFC 3465)
//   Cubic    RFC 9438
//
// Both begin by slow start, which HyStart++ (RFC 9406) ends before it overruns the path.
#pragma once

#include <cstdint>
#include <variant>

#include "stack/recovery/hystart.h"
#include "stack/recovery/state.h"

namespace migd {

struct CongestionWindow {
  std::uint32_t& cwnd;      // bytes
  std::uint32_t& ssthresh;  // bytes
  std::uint32_t& credit;    // bytes acknowledged since cwnd has grown last
  std::uint32_t mss;        // as segments are counted

  static constexpr std::uint32_t kMax = 1u << 30;

  void grow(std::uint32_t bytes) { cwnd = cwnd > kMax - bytes ? kMax : cwnd + bytes; }
};

class Reno {
 public:
  void on_delivered(CongestionWindow& window, std::uint32_t bytes, Duration, Instant);
  std::uint32_t on_loss(const CongestionWindow& window, std::uint32_t in_flight);
  void on_time_out() {}
  void on_undo() {}
  bool is_fresh() const { return true; }
  void capture(Instant, CongestionState&) const {}
  void restore(const CongestionState&, Instant) {}
};

class Cubic {
 public:
  void on_delivered(CongestionWindow& window, std::uint32_t bytes, Duration srtt, Instant now);
  std::uint32_t on_loss(const CongestionWindow& window, std::uint32_t in_flight);
  void on_time_out() { after_time_out_ = true; }
  void on_undo();
  bool is_fresh() const { return !epoch_known_ && !after_time_out_ && cwnd_max_ == 0; }
  void capture(Instant now, CongestionState& out) const;
  void restore(const CongestionState& state, Instant captured_at);

  // W_cubic(t) in bytes (RFC 9438 4.2), `t` after the window was `epoch_cwnd`.
  static double window_at(double t_seconds, double cwnd_max, double epoch_cwnd, double mss);

 private:
  void begin_epoch(const CongestionWindow& window, Instant now);

  bool epoch_known_ = false;
  bool after_time_out_ = false;
  Instant epoch_{};
  std::uint32_t epoch_cwnd_ = 0;
  std::uint32_t cwnd_max_ = 0;
  std::uint32_t cwnd_prior_ = 0;
  std::uint32_t undo_cwnd_max_ = 0;
  double cwnd_reno_ = 0;  // W_est
  double fraction_ = 0;   // of a byte, by which cwnd is to grow
};

class CongestionControl {
 public:
  explicit CongestionControl(CongestionAlgorithm algorithm);

  // SND.UNA has advanced outside of a fast recovery, and what was in flight had filled the window.
  // `bytes`: cumulatively or selectively acknowledged. Zero for a round trip: none was measured.
  void on_delivered(CongestionWindow window, std::uint32_t bytes, Duration srtt, Instant now);
  // Every ACK of new data, for the rounds of slow start.
  void on_ack(CongestionWindow window, SeqNum acknowledged, SeqNum send_next, Duration round_trip);
  // A loss, found by a fast recovery or a time-out: the new threshold.
  std::uint32_t on_loss(const CongestionWindow& window, std::uint32_t in_flight);
  void on_time_out();
  // The last loss was none.
  void on_undo();

  // It is what `algorithm` begins with, but for the rounds of slow start.
  bool is_fresh(CongestionAlgorithm algorithm) const;

  CongestionState capture(Instant now) const;
  void restore(const CongestionState& state, Instant captured_at);

 private:
  std::variant<Reno, Cubic> algorithm_;
  HyStart slow_start_;
};

}  // namespace migd
