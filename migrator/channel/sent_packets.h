// SentPackets: what each packet number carried, until it is acknowledged or lost, and the rules by
// which it counts as lost (RFC 9002 section 6.1): kOvertaken later ones were acknowledged, or one
// later one was and it is older than the loss delay.
#pragma once

#include <deque>
#include <vector>

#include "migrator/channel/outbox.h"
#include "migrator/channel/rtt.h"

namespace migd::channel {

struct SentPacket {
  Instant sent{};
  std::size_t bytes = 0;
  bool in_flight = false;  // not yet acknowledged nor lost, and awaited
  FragmentRef first;       // most packets carry one fragment
  std::vector<FragmentRef> more;

  template <typename Visit>
  void for_each(Visit visit) const {
    if (first.message) visit(first);
    for (const FragmentRef& ref : more)
      visit(ref);
  }
};

class SentPackets {
 public:
  static constexpr std::uint64_t kOvertaken = 3;

  std::uint64_t next_number() const { return first_ + packets_.size(); }
  void add(SentPacket packet);

  // Appends what is newly acknowledged to `acked`. False when the frame names a packet that was
  // never sent.
  bool on_ack(const AckFrame& ack, Instant now, std::vector<SentPacket>& acked,
              RoundTrip& round_trip);
  // Appends what is lost as of `now`.
  void detect_lost(Instant now, const RoundTrip& round_trip, std::vector<SentPacket>& lost);
  Instant loss_deadline() const { return loss_deadline_; }

  std::size_t in_flight() const { return in_flight_; }  // packets
  Instant last_sent() const { return last_sent_; }      // of those in flight
  // The fragments of the oldest packets in flight.
  void oldest(std::size_t packets, std::vector<FragmentRef>& fragments) const;

 private:
  void take(SentPacket& packet, std::vector<SentPacket>& into);
  void trim();

  std::deque<SentPacket> packets_;
  std::uint64_t first_ = 1;  // number of packets_.front()
  std::uint64_t largest_acked_ = 0;
  std::size_t in_flight_ = 0;
  Instant last_sent_{};
  Instant loss_deadline_ = kNever;
};

}  // namespace migd::channel
