// SimChannel: the blob channel of a simulated node, with the test's hand on it. What the node wants
// to send is shown to a ChannelTap, which may have it sent as it is, later, twice, not at all, or
// changed: the faults that every message of the protocol has to survive, and the bugs of a node
// that says something wrong. Below it is the shipped channel.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "migrator/channel/channel.h"
#include "migrator/wire.h"
#include "tests/support/sim_loop.h"

namespace migd::sim {

struct ChannelMessage {
  NodeId from;
  NodeId via;  // the same as `to`: straight
  NodeId to;
  wire::Kind kind{};
  Bytes head, body;

  template <typename M>
  M as() const {  // `kind` is that of M
    return std::get<M>(*wire::parse(static_cast<std::uint8_t>(kind), head));
  }
};

class ChannelTap {
 public:
  virtual ~ChannelTap() = default;
  // How long after now each copy leaves; no copy: it is lost. May change the message.
  virtual std::vector<Duration> on_send(ChannelMessage& message) = 0;
  virtual void on_delivered(NodeId at, NodeId origin, wire::Kind kind, ByteView head) = 0;
};

std::string_view to_string(wire::Kind kind);
inline constexpr int kKinds = static_cast<int>(std::variant_size_v<wire::Message>);  // from 1 on

class SimChannel : public Channel, private ChannelHandler {
 public:
  // What is given outlives it. `loop` is the node's: a message that waits dies with the process.
  SimChannel(SimNodeLoop& loop, ChannelTap& tap, const ChannelOptions& options,
             DatagramSender& sender, ChannelHandler& handler, Rng& rng, Metrics& metrics,
             Instant now);

  // Says something that the node did not want to say.
  void inject(const ChannelMessage& message);

  bool session_up(NodeId peer) const override { return inner_->session_up(peer); }
  Boot peer_boot(NodeId peer) const override { return inner_->peer_boot(peer); }
  Duration round_trip(NodeId peer) const override { return inner_->round_trip(peer); }
  Result<void> send(NodeId to, std::uint8_t kind, ByteView head, ByteView body,
                    Instant now) override {
    return send_via(to, to, kind, head, body, now);
  }
  Result<void> send_via(NodeId via, NodeId to, std::uint8_t kind, ByteView head, ByteView body,
                        Instant now) override;
  void flush(Instant now) override { inner_->flush(now); }
  void close(Instant now) override { inner_->close(now); }
  Instant next_deadline() const override { return inner_->next_deadline(); }
  void on_deadline(Instant now) override { inner_->on_deadline(now); }
  void on_datagram(const Endpoint& from, ByteView payload, Instant now) override {
    inner_->on_datagram(from, payload, now);
  }

 private:
  void on_session_up(NodeId peer, Boot boot, Instant now) override {
    handler_.on_session_up(peer, boot, now);
  }
  void on_session_down(NodeId peer, std::string reason, Instant now) override {
    handler_.on_session_down(peer, std::move(reason), now);
  }
  void on_message(NodeId origin, std::uint8_t kind, ByteView head, ByteView body,
                  Instant now) override;
  void on_relay(NodeId origin, NodeId destination, std::uint8_t kind, ByteView head,
                Instant now) override {
    handler_.on_relay(origin, destination, kind, head, now);
  }
  void on_undeliverable(NodeId via, NodeId to, std::uint8_t kind, ByteView head, std::string reason,
                        Instant now) override {
    handler_.on_undeliverable(via, to, kind, head, std::move(reason), now);
  }
  Bytes heartbeat_payload() override { return handler_.heartbeat_payload(); }
  void on_heartbeat(NodeId peer, ByteView payload, Instant now) override {
    handler_.on_heartbeat(peer, payload, now);
  }

  Result<void> pass(const ChannelMessage& message, Instant now);
  void pass_later(ChannelMessage message, Duration delay);

  SimNodeLoop& loop_;
  ChannelTap& tap_;
  ChannelHandler& handler_;
  NodeId self_;
  std::unique_ptr<Channel> inner_;
};

}  // namespace migd::sim
