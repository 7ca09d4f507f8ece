// Channels on a datagram network in virtual time that loses, repeats, reorders, damages and cuts
// what it carries, and remembers it.
#pragma once

#include <sodium.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "migrator/channel/engine.h"
#include "tests/support/sim_rng.h"

namespace migd::channel::test {

struct Faults {
  double lose = 0;
  double repeat = 0;
  double damage = 0;  // one byte changed
  double truncate = 0;
  Duration delay = 100us;
  Duration jitter{};  // uniformly added: reorders
};

struct Received {
  NodeId origin;
  std::uint8_t kind = 0;
  Bytes head;
  Bytes body;
};

struct KeyPair {
  Key secret{};
  Key public_key{};
  static KeyPair from_seed(std::uint64_t seed);
};

class VirtualNet;

// One node: a channel, and what its handler heard.
class Node : public ChannelHandler, public DatagramSender {
 public:
  Node(VirtualNet& net, ChannelOptions options, Tuning tuning, Endpoint address);

  void restart(Boot boot);
  void stop() { channel_.reset(); }
  bool running() const { return channel_ != nullptr; }
  ChannelEngine& channel() { return *channel_; }
  const Endpoint& address() const { return address_; }
  NodeId id() const { return options.self; }

  Result<void> send(NodeId to, std::uint8_t kind, std::string_view head, ByteView body = {});
  Result<void> send_via(NodeId via, NodeId to, std::uint8_t kind, std::string_view head,
                        ByteView body = {});
  std::uint64_t refused(std::string_view reason);
  std::uint64_t refused_in_all();
  std::uint64_t counter(std::string_view name) { return metrics.counter(name).value; }

  // ChannelHandler
  void on_session_up(NodeId peer, Boot boot, Instant now) override;
  void on_session_down(NodeId peer, std::string reason, Instant now) override;
  void on_message(NodeId origin, std::uint8_t kind, ByteView head, ByteView body,
                  Instant now) override;
  void on_relay(NodeId origin, NodeId destination, std::uint8_t kind, ByteView head,
                Instant now) override;
  void on_undeliverable(NodeId via, NodeId to, std::uint8_t kind, ByteView head, std::string reason,
                        Instant now) override;
  Bytes heartbeat_payload() override { return heartbeat; }
  void on_heartbeat(NodeId peer, ByteView payload, Instant now) override;
  // DatagramSender
  void send(const Endpoint& to, ByteView payload, std::size_t segment_size) override;

  struct Relayed {
    NodeId origin, destination;
    std::uint8_t kind = 0;
    std::string head;
  };
  struct Returned {
    NodeId via, to;
    std::uint8_t kind = 0;
    std::string head, reason;
  };
  std::vector<std::pair<NodeId, Boot>> ups;
  std::vector<std::pair<NodeId, std::string>> downs;
  std::vector<Received> received;
  std::vector<Relayed> relayed;
  std::vector<Returned> returned;
  std::vector<std::pair<NodeId, Bytes>> heartbeats;
  std::vector<std::size_t> trains;  // bytes of each call of send()
  Bytes heartbeat{1, 2, 3};
  std::function<void(const Received&)> on_received;
  ChannelOptions options;
  Tuning tuning;
  Metrics metrics;

 private:
  VirtualNet& net_;
  Endpoint address_;
  std::unique_ptr<ChannelEngine> channel_;
};

struct Captured {
  Endpoint from, to;
  Bytes bytes;
};

class VirtualNet {
 public:
  explicit VirtualNet(std::uint64_t seed) : rng_(seed), node_rng_(seed + 1) {}

  // Nodes 1..n, all peers of each other.
  void add_nodes(std::size_t n, const Tuning& tuning = {},
                 const std::function<void(ChannelOptions&)>& adjust = {});
  Node& node(std::uint16_t id) { return *nodes_.at(id - 1u); }

  void run_for(Duration d);
  // False when it has not become true in time.
  bool run_until(const std::function<bool()>& condition, Duration at_most);
  bool run_until_up(Duration at_most = 5s);

  void send(const Endpoint& from, const Endpoint& to, ByteView datagram);
  void inject(const Captured& datagram);  // delivered now, without faults

  Instant now() const { return now_; }
  sim::SimRng& rng() { return rng_; }
  sim::SimRng& node_rng() { return node_rng_; }

  Faults faults;
  // May change a datagram; false drops it.
  std::function<bool(Captured&)> tap;
  std::vector<Captured> captured;
  bool capturing = false;
  std::uint64_t datagrams = 0;

 private:
  Instant next_event() const;
  void step(Instant until);
  void deliver(const Captured& datagram);

  Instant now_{1h};
  sim::SimRng rng_;
  sim::SimRng node_rng_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::multimap<Instant, Captured> under_way_;
};

Bytes random_bytes(sim::SimRng& rng, std::size_t size);

}  // namespace migd::channel::test
