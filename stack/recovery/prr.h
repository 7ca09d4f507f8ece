// Proportional rate reduction (RFC 6937, with the bounds of its successor): during a fast recovery
// what is sent follows what is delivered, so that the window comes down to the threshold without a
// pause and without a burst.
#pragma once

#include <algorithm>
#include <cstdint>

namespace migd {

class Prr {
 public:
  // `flight`: bytes in flight when the loss was found (RecoverFS).
  void begin(std::uint32_t flight) {
    delivered_ = sent_ = 0;
    flight_ = std::max(flight, 1u);
  }
  void on_sent(std::uint32_t bytes) { sent_ += bytes; }

  // How much may be sent now, beyond what is in flight (`pipe`). `progress`: SND.UNA has advanced,
  // and nothing more was found to be lost.
  std::uint32_t on_ack(std::uint32_t delivered, std::uint32_t pipe, std::uint32_t threshold,
                       std::uint32_t mss, bool progress) {
    delivered_ += delivered;
    std::int64_t may = 0;
    if (pipe > threshold) {
      const std::uint64_t share = (std::uint64_t{delivered_} * threshold + flight_ - 1) / flight_;
      may = static_cast<std::int64_t>(share) - sent_;
    } else {
      std::int64_t limit = std::max<std::int64_t>(std::int64_t{delivered_} - sent_, delivered);
      if (progress) limit += mss;
      may = std::min<std::int64_t>(threshold - pipe, limit);
    }
    if (sent_ == 0) may = std::max<std::int64_t>(may, mss);  // the first retransmission
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(may, 0, 1 << 30));
  }

  std::uint32_t delivered() const { return delivered_; }
  std::uint32_t sent() const { return sent_; }
  std::uint32_t flight() const { return flight_; }
  void restore(std::uint32_t delivered, std::uint32_t sent, std::uint32_t flight) {
    delivered_ = delivered;
    sent_ = sent;
    flight_ = std::max(flight, 1u);
  }

 private:
  std::uint32_t delivered_ = 0;
  std::uint32_t sent_ = 0;
  std::uint32_t flight_ = 1;
};

}  // namespace migd
