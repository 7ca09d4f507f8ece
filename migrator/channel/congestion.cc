#include "migrator/channel/congestion.h"

#include <algorithm>

#include "base/check.h"

namespace migd::channel {
namespace {

constexpr std::size_t kIncrement = 1400;  // bytes per round trip, once out of slow start

}  // namespace

Congestion::Congestion(const CongestionOptions& options)
    : options_(options),
      window_(options.initial_window),
      slow_start_threshold_(options.greatest_window),
      tokens_(static_cast<double>(options.burst)) {}

double Congestion::rate() const {
  return 2.0 * static_cast<double>(window_) / static_cast<double>(round_trip_.count());
}

void Congestion::refill(Instant now) {
  if (refilled_ != Instant::min() && round_trip_ > Duration::zero()) {
    tokens_ += rate() * static_cast<double>((now - refilled_).count());
  } else {
    tokens_ = static_cast<double>(options_.burst);
  }
  tokens_ = std::min(tokens_, static_cast<double>(options_.burst));
  refilled_ = now;
}

Instant Congestion::paced_until(std::size_t bytes, Instant now) {
  if (round_trip_ == Duration::zero()) return now;
  refill(now);
  const double missing = static_cast<double>(bytes) - tokens_;
  if (missing <= 0) return now;
  return now + Duration(static_cast<std::int64_t>(missing / rate()) + 1);
}

void Congestion::on_sent(std::size_t bytes, Instant now) {
  refill(now);
  tokens_ -= static_cast<double>(bytes);
  in_flight_ += bytes;
}

void Congestion::on_acked(std::size_t bytes, Instant sent_at) {
  MIGD_CHECK(bytes <= in_flight_);
  // A window that is not used is not shown to be good.
  const bool used = in_flight_ * 2 >= window_;
  in_flight_ -= bytes;
  if (sent_at <= recovery_start_ || !used) return;
  if (window_ < slow_start_threshold_) {
    window_ += bytes;
  } else {
    acked_in_window_ += bytes;
    if (acked_in_window_ >= window_) {
      acked_in_window_ -= window_;
      window_ += kIncrement;
    }
  }
  window_ = std::min(window_, options_.greatest_window);
}

void Congestion::on_lost(std::size_t bytes, Instant sent_at, Instant now) {
  MIGD_CHECK(bytes <= in_flight_);
  in_flight_ -= bytes;
  if (sent_at <= recovery_start_) return;
  recovery_start_ = now;
  window_ = std::max(window_ / 2, options_.least_window);
  slow_start_threshold_ = window_;
  acked_in_window_ = 0;
}

}  // namespace migd::channel
