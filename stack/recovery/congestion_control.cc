#include "stack/recovery/congestion_control.h"

#include <algorithm>

namespace migd {

CongestionControl::CongestionControl(CongestionAlgorithm algorithm) {
  if (algorithm == CongestionAlgorithm::kCubic) algorithm_ = Cubic();
}

void CongestionControl::on_delivered(CongestionWindow window, std::uint32_t bytes, Duration srtt,
                                     Instant now) {
  if (window.cwnd < window.ssthresh) {
    // All bytes count: a receiver that gathers packets acknowledges many at once (RFC 3465 would
    // have at most two segments, and makes such a start take several times as long).
    const std::uint32_t slow = std::min(slow_start_.growth(bytes), window.ssthresh - window.cwnd);
    window.grow(slow);
    return;
  }
  std::visit([&](auto& algorithm) { algorithm.on_delivered(window, bytes, srtt, now); },
             algorithm_);
}

void CongestionControl::on_ack(CongestionWindow window, SeqNum acknowledged, SeqNum send_next,
                               Duration round_trip) {
  if (window.ssthresh != CongestionWindow::kMax) return;  // only the first slow start is blind
  if (slow_start_.on_ack(acknowledged, send_next, round_trip)) {
    window.ssthresh = std::max(window.cwnd, 2 * window.mss);  // as a loss leaves it (RFC 5681 3.1)
    slow_start_.stop();
  }
}

std::uint32_t CongestionControl::on_loss(const CongestionWindow& window, std::uint32_t in_flight) {
  slow_start_.stop();
  const std::uint32_t threshold =
      std::visit([&](auto& algorithm) { return algorithm.on_loss(window, in_flight); }, algorithm_);
  return std::max(threshold, 2 * window.mss);
}

void CongestionControl::on_time_out() {
  std::visit([](auto& algorithm) { algorithm.on_time_out(); }, algorithm_);
}

void CongestionControl::on_undo() {
  std::visit([](auto& algorithm) { algorithm.on_undo(); }, algorithm_);
}

bool CongestionControl::is_fresh(CongestionAlgorithm algorithm) const {
  const bool same =
      std::holds_alternative<Cubic>(algorithm_) == (algorithm == CongestionAlgorithm::kCubic);
  return same && !slow_start_.is_judging() &&
         std::visit([](const auto& a) { return a.is_fresh(); }, algorithm_);
}

CongestionState CongestionControl::capture(Instant now) const {
  CongestionState state;
  state.algorithm = std::holds_alternative<Cubic>(algorithm_) ? CongestionAlgorithm::kCubic
                                                              : CongestionAlgorithm::kReno;
  std::visit([&](const auto& algorithm) { algorithm.capture(now, state); }, algorithm_);
  slow_start_.capture(state);
  return state;
}

void CongestionControl::restore(const CongestionState& state, Instant captured_at) {
  if (state.algorithm == CongestionAlgorithm::kCubic) {
    algorithm_ = Cubic();
  } else {
    algorithm_ = Reno();
  }
  std::visit([&](auto& algorithm) { algorithm.restore(state, captured_at); }, algorithm_);
  slow_start_.restore(state);
}

// ---- Reno ----

void Reno::on_delivered(CongestionWindow& window, std::uint32_t bytes, Duration, Instant) {
  window.credit += bytes;
  if (window.credit < window.cwnd) return;
  window.credit -= window.cwnd;
  window.credit = std::min(window.credit, window.cwnd);
  window.grow(window.mss);
}

std::uint32_t Reno::on_loss(const CongestionWindow&, std::uint32_t in_flight) {
  return in_flight / 2;
}

}  // namespace migd
