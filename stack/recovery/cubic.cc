// CUBIC (RFC 9438), in bytes: where the RFC counts segments, C is multiplied by the segment's size.
#include <algorithm>
#include <cmath>

#include "stack/recovery/congestion_control.h"

namespace migd {
namespace {

constexpr double kC = 0.4;                                      // 5.1, segments per second cubed
constexpr double kBeta = 0.7;                                   // 4.6
constexpr double kAlpha = 3.0 * (1.0 - kBeta) / (1.0 + kBeta);  // 4.3
constexpr double kTargetMax = 1.5;                              // 4.2, of cwnd

double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

}  // namespace

double Cubic::window_at(double t, double cwnd_max, double epoch_cwnd, double mss) {
  const double k = std::cbrt((cwnd_max - epoch_cwnd) / mss / kC);
  const double distance = t - k;
  return kC * distance * distance * distance * mss + cwnd_max;
}

// 4.2 and 4.8: the curve begins at the present window, and its plateau is where the last loss was,
// unless the window is above that already, or a time-out has made it worthless.
void Cubic::begin_epoch(const CongestionWindow& window, Instant now) {
  epoch_known_ = true;
  epoch_ = now;
  epoch_cwnd_ = window.cwnd;
  if (after_time_out_ || cwnd_max_ < window.cwnd) cwnd_max_ = window.cwnd;
  after_time_out_ = false;
  cwnd_reno_ = window.cwnd;
  fraction_ = 0;
}

void Cubic::on_delivered(CongestionWindow& window, std::uint32_t bytes, Duration srtt,
                         Instant now) {
  if (!epoch_known_) begin_epoch(window, now);
  const double cwnd = window.cwnd;
  const double mss = window.mss;
  const double t = seconds(now - epoch_);

  // 4.3: what Reno would have; once that is above the window before the loss, as fast as Reno.
  const double alpha = cwnd_reno_ >= cwnd_prior_ ? 1.0 : kAlpha;
  cwnd_reno_ = std::min<double>(cwnd_reno_ + alpha * bytes * mss / cwnd, CongestionWindow::kMax);

  double growth = 0;
  if (window_at(t, cwnd_max_, epoch_cwnd_, mss) < cwnd_reno_) {
    growth = std::max(cwnd_reno_ - cwnd, 0.0);
  } else {  // 4.4, 4.5
    const double target = std::clamp(window_at(t + seconds(srtt), cwnd_max_, epoch_cwnd_, mss),
                                     cwnd, kTargetMax * cwnd);
    growth = (target - cwnd) * bytes / cwnd;
  }
  growth = std::min(growth, static_cast<double>(bytes)) + fraction_;  // never above slow start
  fraction_ = growth - std::floor(growth);
  window.grow(static_cast<std::uint32_t>(growth));
}

// 4.6 and 4.7. The threshold follows what was in flight: cwnd may be larger than what was used.
std::uint32_t Cubic::on_loss(const CongestionWindow& window, std::uint32_t in_flight) {
  const std::uint32_t cwnd = std::min(window.cwnd, std::max(in_flight, window.mss));
  undo_cwnd_max_ = cwnd_max_;
  const bool converging = cwnd < cwnd_max_;
  cwnd_max_ = converging ? static_cast<std::uint32_t>(cwnd * (1.0 + kBeta) / 2.0) : cwnd;
  cwnd_prior_ = cwnd;
  epoch_known_ = false;
  return static_cast<std::uint32_t>(cwnd * kBeta);
}

// 4.9: the window is what it was; the curve begins anew from there.
void Cubic::on_undo() {
  cwnd_max_ = undo_cwnd_max_;
  epoch_known_ = false;
  after_time_out_ = false;
}

void Cubic::capture(Instant now, CongestionState& out) const {
  out.epoch_known = epoch_known_;
  if (epoch_known_) {
    out.epoch_ago = now - epoch_;
    out.epoch_cwnd = epoch_cwnd_;
    out.cwnd_reno = static_cast<std::uint32_t>(cwnd_reno_);
  }
  out.after_time_out = after_time_out_;
  out.cwnd_max = cwnd_max_;
  out.cwnd_prior = cwnd_prior_;
  out.undo_cwnd_max = undo_cwnd_max_;
}

void Cubic::restore(const CongestionState& state, Instant captured_at) {
  epoch_known_ = state.epoch_known;
  epoch_ = captured_at - state.epoch_ago;
  epoch_cwnd_ = state.epoch_cwnd;
  cwnd_reno_ = state.cwnd_reno;
  after_time_out_ = state.after_time_out;
  cwnd_max_ = state.cwnd_max;
  cwnd_prior_ = state.cwnd_prior;
  undo_cwnd_max_ = state.undo_cwnd_max;
}

}  // namespace migd
