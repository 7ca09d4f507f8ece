#include "migrator/channel/sent_packets.h"

#include <algorithm>

namespace migd::channel {

void SentPackets::add(SentPacket packet) {
  if (packet.in_flight) {
    ++in_flight_;
    last_sent_ = packet.sent;
  }
  packets_.push_back(std::move(packet));
  trim();
}

void SentPackets::take(SentPacket& packet, std::vector<SentPacket>& into) {
  packet.in_flight = false;
  --in_flight_;
  into.push_back(std::move(packet));
}

void SentPackets::trim() {
  while (!packets_.empty() && !packets_.front().in_flight) {
    packets_.pop_front();
    ++first_;
  }
}

bool SentPackets::on_ack(const AckFrame& ack, Instant now, std::vector<SentPacket>& acked,
                         RoundTrip& round_trip) {
  const std::uint64_t largest = ack.runs.front().last;
  if (largest >= next_number()) return false;
  for (const NumberRun& run : ack.runs) {
    if (run.last < first_) break;
    for (std::uint64_t n = run.last; n >= std::max(run.first, first_); --n) {
      SentPacket& packet = packets_[n - first_];
      if (!packet.in_flight) continue;
      if (n == largest) round_trip.sample(now - packet.sent, ack.delay);
      take(packet, acked);
    }
  }
  largest_acked_ = std::max(largest_acked_, largest);
  trim();
  return true;
}

void SentPackets::detect_lost(Instant now, const RoundTrip& round_trip,
                              std::vector<SentPacket>& lost) {
  const Duration delay = round_trip.loss_delay();
  loss_deadline_ = kNever;
  for (std::uint64_t n = first_; n < std::min(largest_acked_, next_number()); ++n) {
    SentPacket& packet = packets_[n - first_];
    if (!packet.in_flight) continue;
    if (n + kOvertaken <= largest_acked_ || packet.sent + delay <= now) {
      take(packet, lost);
    } else {
      loss_deadline_ = std::min(loss_deadline_, packet.sent + delay);
    }
  }
  trim();
}

void SentPackets::oldest(std::size_t packets, std::vector<FragmentRef>& fragments) const {
  for (const SentPacket& packet : packets_) {
    if (!packet.in_flight) continue;
    if (packets-- == 0) return;
    packet.for_each([&](const FragmentRef& ref) { fragments.push_back(ref); });
  }
}

}  // namespace migd::channel
