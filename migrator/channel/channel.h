// Channel: reliable, sealed messages between nodes, over datagrams.
//
// Theory of operation
//   Each pair of nodes agrees on session keys by exchanging HELLOs under their static keys
//   (handshake.h), again after some time or volume, and from the beginning after a restart. A
//   message is a head, which every node on its way may read, and a body, which only its destination
//   can open. It travels as fragments in sealed datagrams (packet.h), each acknowledged hop by hop,
//   sent again when lost, and paced (link.h); it may pass through one other node, which forwards
//   fragments as they come (relay.h). The destination opens, completes and delivers it at most once
//   (reassembly.h). engine.h ties this together; refusal.h names everything that is not taken.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/datagram.h"
#include "base/ids.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"

namespace migd {

struct ChannelPeer {
  NodeId id;
  Endpoint address;                                       // where its datagrams go and come from
  std::vector<std::array<std::uint8_t, 32>> public_keys;  // one, or two during a rotation
};

struct ChannelOptions {
  NodeId self;
  Boot boot;
  std::vector<std::array<std::uint8_t, 32>> secret_keys;  // the first starts sessions
  std::vector<ChannelPeer> peers;
  std::size_t datagram_max = 1400;          // UDP payload bytes, from the link's MTU
  std::size_t train_max = 64000;            // bytes handed to DatagramSender::send() at once
  Duration heartbeat = 200ms;               // something is sent at least this often
  Duration dead_after = 3s;                 // a session without a sign of life ends
  std::size_t peer_memory_max = 32u << 20;  // bytes queued to, and being assembled from, one peer
};

// Sessions come and go; what was not delivered when one ends is lost, and its sender learns it
// from on_session_down. Within a session every message arrives at most once, whole, unordered.
class ChannelHandler {
 public:
  virtual ~ChannelHandler() = default;

  virtual void on_session_up(NodeId peer, Boot boot, Instant now) = 0;
  virtual void on_session_down(NodeId peer, std::string reason, Instant now) = 0;
  // `body` was sealed by `origin` for this node, and is already opened. For a message that came
  // straight, origin == the peer that sent it.
  virtual void on_message(NodeId origin, std::uint8_t kind, ByteView head, ByteView body,
                          Instant now) = 0;
  // This node is the `via` of a message: called once with its head, before any of it goes on to
  // `destination`. The body is sealed for the destination and cannot be read here.
  virtual void on_relay(NodeId origin, NodeId destination, std::uint8_t kind, ByteView head,
                        Instant now) = 0;
  // A message of ours that came as far as `via`, which could not deliver it, or which is its
  // destination and could not take it. `reason` is one of migrator/channel/refusal.h, by name.
  virtual void on_undeliverable(NodeId /*via*/, NodeId /*to*/, std::uint8_t /*kind*/,
                                ByteView /*head*/, std::string /*reason*/, Instant /*now*/) {}
  // 32 bytes at most, carried by every heartbeat: load and health.
  virtual Bytes heartbeat_payload() = 0;
  virtual void on_heartbeat(NodeId peer, ByteView payload, Instant now) = 0;
};

class Channel : public DatagramReceiver {
 public:
  static std::unique_ptr<Channel> create(const ChannelOptions& options, DatagramSender& sender,
                                         ChannelHandler& handler, Rng& rng, Metrics& metrics,
                                         Instant now);

  virtual bool session_up(NodeId peer) const = 0;
  virtual Boot peer_boot(NodeId peer) const = 0;  // of the current session
  virtual Duration round_trip(NodeId peer) const = 0;

  // head and body are delivered to `to`. kUnavailable without a session; kTooLarge for a head over
  // 1 KiB, a body over limits::kBlobMax, or more than the peer's queue ever holds; kBusy when the
  // queue has no room now.
  virtual Result<void> send(NodeId to, std::uint8_t kind, ByteView head, ByteView body,
                            Instant now) = 0;
  // The same through `via`, which reads the head and passes the sealed body on, fragment by
  // fragment as they come. Needs sessions with both.
  virtual Result<void> send_via(NodeId via, NodeId to, std::uint8_t kind, ByteView head,
                                ByteView body, Instant now) = 0;
  // Sends what is queued as far as the window allows; the owner calls it after a batch of work.
  virtual void flush(Instant now) = 0;

  // Tells all peers that this node ends. Nothing is sent or taken any more.
  virtual void close(Instant /*now*/) {}

  virtual Instant next_deadline() const = 0;
  virtual void on_deadline(Instant now) = 0;
};

// How a node comes by its channel: Channel::create, or a test's own in its place.
using ChannelFactory = std::function<std::unique_ptr<Channel>(
    const ChannelOptions&, DatagramSender&, ChannelHandler&, Rng&, Metrics&, Instant)>;

}  // namespace migd
