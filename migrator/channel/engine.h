// ChannelEngine: the channel with all its peers. See channel.h for what it promises.
//
// Theory of operation
//   A peer is known from the configuration. Its Handshake finds session keys; as long as the two
//   sides agree that they hold each other, the peer has a Link, which moves frames reliably: packet
//   numbers, acknowledgements, loss, congestion, pacing. New keys come and go under a Link; a new
//   boot, or a peer that lost us, ends the Link and begins another, and the session goes down and
//   up.
//
//   Messages are cut into fragments (Outbox), each body fragment sealed once, from origin to
//   destination. At the destination Reassembly opens and completes them; at a node on the way Relay
//   passes them on as they are. Reliability is hop by hop; a message that a relay or a destination
//   has to give up comes back to its origin as "undeliverable", with its head.
//
//   Input is taken in completely before any handler is called; handlers may send, and what they
//   send leaves with the next flush() or on_deadline().
#pragma once

#include <deque>
#include <memory>
#include <unordered_map>
#include <variant>
#include <vector>

#include "migrator/channel/channel.h"
#include "migrator/channel/handshake.h"
#include "migrator/channel/link.h"
#include "migrator/channel/reassembly.h"
#include "migrator/channel/relay.h"

namespace migd::channel {

class ChannelEngine : public Channel {
 public:
  ChannelEngine(const ChannelOptions& options, const Tuning& tuning, DatagramSender& sender,
                ChannelHandler& handler, Rng& rng, Metrics& metrics, Instant now);

  bool session_up(NodeId peer) const override;
  Boot peer_boot(NodeId peer) const override;
  Duration round_trip(NodeId peer) const override;
  Result<void> send(NodeId to, std::uint8_t kind, ByteView head, ByteView body,
                    Instant now) override;
  Result<void> send_via(NodeId via, NodeId to, std::uint8_t kind, ByteView head, ByteView body,
                        Instant now) override;
  void flush(Instant now) override;
  void close(Instant now) override;
  Instant next_deadline() const override;
  void on_deadline(Instant now) override;
  void on_datagram(const Endpoint& from, ByteView payload, Instant now) override;

  // For tests: what is queued for a peer and reserved for messages from it, in bytes.
  std::size_t queued_bytes(NodeId peer) const;
  std::size_t reserved_bytes(NodeId origin) const { return reassembly_.reserved_bytes(origin); }

 private:
  struct Peer {
    Peer(const ChannelPeer& known, const HandshakeOptions& options, std::vector<StaticPair> pairs,
         Rng& rng, RefusalCounters& refusals, Instant now)
        : config(known), handshake(options, known.id, std::move(pairs), rng, refusals, now) {}

    const ChannelPeer config;
    Handshake handshake;
    std::unique_ptr<Link> link;     // while the session is up
    Boot boot;                      // of the peer, in this association
    std::uint64_t next_number = 1;  // of messages from here to it
  };

  struct SessionUp {
    NodeId peer;
    Boot boot;
  };
  struct SessionDown {
    NodeId peer;
    std::string reason;
  };
  struct Heartbeat {
    NodeId peer;
    Bytes payload;
  };
  using Event = std::variant<SessionUp, SessionDown, Heartbeat, Delivery,
                             std::shared_ptr<OutMessage>>;  // to be announced

  // What the frames of one datagram came to.
  struct FramesRead {
    bool ack_eliciting = false;
    bool acknowledge = true;
    bool closed = false;
    bool malformed = false;
  };

  Peer* find(NodeId node) const;
  Link* link_to(NodeId node) const;
  Peer* sender_of(const Endpoint& from, NodeId node);
  Result<void> queue_message(Peer& hop, Peer& destination, bool undeliverable, std::uint8_t kind,
                             ByteView head, ByteView body, Instant now);
  std::string why_down(const Peer& peer) const;

  void on_hello(const Endpoint& from, ByteView payload, Instant now);
  void on_data(const Endpoint& from, ByteView payload, Instant now);
  void on_session(Peer& peer, const Handshake::Outcome& outcome, Instant now);
  void take_down(Peer& peer, std::string reason, Instant now);
  FramesRead read_frames(Peer& peer, ByteView frames, ByteView bodies, Instant now);
  bool read_message_frame(Peer& peer, BoundedReader& frames, BoundedReader& bodies,
                          FramesRead& read, Instant now);
  bool on_fragment(Peer& from, const MessageFrame& frame, ByteView sealed, Instant now);
  void report(const Undelivered& undelivered, Instant now);
  void report(const std::vector<Undelivered>& undelivered, Instant now);

  void on_peer_deadline(Peer& peer, Instant now);
  void renew_keys(Peer& peer, Instant now);
  void send_hello(const Peer& peer, const Bytes& hello);
  void transmit(Peer& peer, Instant now);

  void deliver_events(Instant now);
  void deliver(const Event& event, Instant now);
  void deliver(const Delivery& message, Instant now);
  void announce(const std::shared_ptr<OutMessage>& message, Instant now);

  const ChannelOptions options_;
  Tuning tuning_;
  DatagramSender& sender_;
  ChannelHandler& handler_;
  RefusalCounters refusals_;
  LinkCounters counters_;
  Counter& sessions_begun_;
  Counter& sessions_rekeyed_;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::unordered_map<std::uint16_t, Peer*> by_node_;
  Reassembly reassembly_;
  Relay relay_;
  Train train_;
  std::deque<Event> events_;
  bool delivering_ = false;
  bool closed_ = false;
  Instant expire_at_;
  Bytes opened_;  // the frames of the datagram that is being read
};

}  // namespace migd::channel
