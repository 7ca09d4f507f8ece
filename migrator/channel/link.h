// Link: an association with one peer, as long as it lasts: packet numbers, acknowledgements,
// retransmission, congestion, and the session keys in use. It moves frames; what a message means is
// for others.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "migrator/channel/number_window.h"
#include "migrator/channel/outbox.h"
#include "migrator/channel/sent_packets.h"
#include "migrator/channel/train.h"
#include "migrator/channel/tuning.h"

namespace migd::channel {

struct LinkCounters {
  explicit LinkCounters(Metrics& metrics);
  Counter& datagrams_sent;
  Counter& bytes_sent;
  Counter& datagrams_received;
  Counter& bytes_received;
  Counter& packets_lost;
  Counter& probes;
};

class Link {
 public:
  struct Options {
    NodeId self;
    std::size_t datagram_max = 0;
    std::size_t outbox_max = 0;
    Duration heartbeat{};
    Duration dead_after{};
  };
  // `tuning` and `counters` outlive the link.
  Link(const Options& options, const Tuning& tuning, LinkCounters& counters,
       std::shared_ptr<Session> session, Instant now);

  // ---- sessions
  void add_session(std::shared_ptr<Session> session, Instant now);
  void confirm_newest() { newest_confirmed_ = true; }
  const std::shared_ptr<Session>& newest_session() const { return sessions_.front().session; }
  std::shared_ptr<Session> find_session(std::uint32_t id, Instant now) const;
  const std::shared_ptr<Session>& sending_session(Instant now) const;

  // ---- input
  bool acceptable(std::uint64_t packet) const { return !received_.contains(packet); }
  // An authentic packet whose frames were all taken: remembered, and acknowledged in time.
  void on_packet(std::uint64_t packet, bool ack_eliciting, Instant now);
  void on_sign_of_life(Instant now) { heard_at_ = now; }
  // False when it acknowledges what was never sent.
  bool on_ack(const AckFrame& ack, Instant now);

  // ---- output
  // Whoever gets it may change it: the next transmit() looks what may be sent.
  Outbox& outbox() {
    dirty_ = true;
    return outbox_;
  }
  const Outbox& outbox() const { return outbox_; }
  // Bytes of a datagram for frames and bodies.
  std::size_t room() const { return options_.datagram_max - kDataHeaderSize - kTagSize; }
  void queue_heartbeat(Bytes payload, Instant now);
  void queue_close() {
    close_queued_ = true;
    dirty_ = true;
  }
  // Something was queued, as of now.
  void touch(Instant now) {
    touched_ = now;
    dirty_ = true;
  }
  bool wants_to_transmit(Instant now) const {
    return dirty_ || send_at_ <= now || (unacked_ > 0 && ack_due_ <= now);
  }
  // Sends what is queued, as far as window and pacing allow.
  void transmit(Train& train, Instant now);

  // ---- time
  Duration round_trip() const { return round_trip_.smoothed(); }
  void on_round_trip(Duration sample);
  Instant heartbeat_due() const { return heartbeat_due_; }
  Instant dead_at() const { return heard_at_ + options_.dead_after; }
  Instant next_deadline() const;
  void on_deadline(Instant now);

 private:
  struct Held {
    std::shared_ptr<Session> session;
    Instant until = kNever;
  };

  bool anything_to_say(Instant now) const;
  bool may_send_fragment(Instant now);
  void build(Train& train, bool with_fragments, Instant now);
  std::size_t write_fragments(ByteWriter& out, std::size_t room, SentPacket& packet);
  std::size_t write_ack(ByteWriter& out, std::size_t room, Instant now);
  void append_bodies(Bytes& out, const SentPacket& packet);
  void on_lost(Instant now);
  void probe();
  Instant probe_deadline() const;

  const Options options_;
  const Tuning& tuning_;
  LinkCounters& counters_;
  std::deque<Held> sessions_;  // the newest first
  bool newest_confirmed_ = false;

  ReceivedPackets received_;
  std::size_t unacked_ = 0;  // packets since the last acknowledgement that ask for one
  Instant ack_due_ = kNever;
  Instant largest_received_at_{};
  Instant heard_at_;

  Outbox outbox_;
  SentPackets sent_;
  RoundTrip round_trip_;
  Congestion congestion_;
  int probes_in_row_ = 0;
  int probes_due_ = 0;
  std::optional<Bytes> heartbeat_;
  Bytes last_heartbeat_;
  Instant heartbeat_due_;
  bool close_queued_ = false;
  Instant send_at_ = kNever;  // when the pacer lets more go
  bool dirty_ = true;         // something changed since the last transmit()
  Instant touched_;           // latest time we were told

  Bytes scratch_;
  std::vector<SentPacket> packets_;
};

}  // namespace migd::channel
