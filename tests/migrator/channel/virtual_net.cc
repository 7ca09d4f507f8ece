#include "tests/migrator/channel/virtual_net.h"

#include <algorithm>

namespace migd::channel::test {

KeyPair KeyPair::from_seed(std::uint64_t seed) {
  KeyPair pair;
  sim::SimRng(seed + 77).fill(pair.secret);
  crypto_scalarmult_base(pair.public_key.data(), pair.secret.data());
  return pair;
}

Bytes random_bytes(sim::SimRng& rng, std::size_t size) {
  Bytes bytes(size);
  rng.fill(bytes);
  return bytes;
}

// ---- Node ----

Node::Node(VirtualNet& net, ChannelOptions node_options, Tuning node_tuning, Endpoint address)
    : options(std::move(node_options)), tuning(node_tuning), net_(net), address_(address) {
  restart(options.boot);
}

void Node::restart(Boot boot) {
  options.boot = boot;
  channel_ = std::make_unique<ChannelEngine>(options, tuning, *this, *this, net_.node_rng(),
                                             metrics, net_.now());
}

Result<void> Node::send(NodeId to, std::uint8_t kind, std::string_view head, ByteView body) {
  return channel_->send(to, kind, as_bytes(head), body, net_.now());
}

Result<void> Node::send_via(NodeId via, NodeId to, std::uint8_t kind, std::string_view head,
                            ByteView body) {
  return channel_->send_via(via, to, kind, as_bytes(head), body, net_.now());
}

std::uint64_t Node::refused(std::string_view reason) {
  return counter("migd_channel_refused_total{reason=\"" + std::string(reason) + "\"}");
}

std::uint64_t Node::refused_in_all() {
  std::uint64_t sum = 0;
  metrics.for_each_counter([&](const std::string& name, std::uint64_t value) {
    if (name.starts_with("migd_channel_refused_total")) sum += value;
  });
  return sum;
}

void Node::on_session_up(NodeId peer, Boot boot, Instant) {
  ups.push_back({peer, boot});
}

void Node::on_session_down(NodeId peer, std::string reason, Instant) {
  downs.push_back({peer, reason});
}

void Node::on_message(NodeId origin, std::uint8_t kind, ByteView head, ByteView body, Instant) {
  received.push_back({origin, kind, to_bytes(head), to_bytes(body)});
  if (on_received) on_received(received.back());
}

void Node::on_relay(NodeId origin, NodeId destination, std::uint8_t kind, ByteView head, Instant) {
  relayed.push_back({origin, destination, kind, std::string(as_text(head))});
}

void Node::on_undeliverable(NodeId via, NodeId to, std::uint8_t kind, ByteView head,
                            std::string reason, Instant) {
  returned.push_back({via, to, kind, std::string(as_text(head)), reason});
}

void Node::on_heartbeat(NodeId peer, ByteView payload, Instant) {
  heartbeats.push_back({peer, to_bytes(payload)});
}

void Node::send(const Endpoint& to, ByteView payload, std::size_t segment_size) {
  trains.push_back(payload.size());
  for (std::size_t at = 0; at < payload.size(); at += segment_size) {
    const std::size_t size = std::min(segment_size, payload.size() - at);
    net_.send(address_, to, payload.subspan(at, size));
  }
}

// ---- VirtualNet ----

void VirtualNet::add_nodes(std::size_t n, const Tuning& tuning,
                           const std::function<void(ChannelOptions&)>& adjust) {
  const auto address_of = [](std::size_t id) {
    return Endpoint{IpAddress::v4(0x0a4d0000 + static_cast<std::uint32_t>(id)), 7946};
  };
  for (std::size_t id = 1; id <= n; ++id) {
    ChannelOptions options;
    options.self = NodeId{static_cast<std::uint16_t>(id)};
    options.boot = Boot{1000 + id};
    options.secret_keys = {KeyPair::from_seed(id).secret};
    for (std::size_t peer = 1; peer <= n; ++peer) {
      if (peer == id) continue;
      options.peers.push_back({NodeId{static_cast<std::uint16_t>(peer)},
                               address_of(peer),
                               {KeyPair::from_seed(peer).public_key}});
    }
    if (adjust) adjust(options);
    nodes_.push_back(std::make_unique<Node>(*this, options, tuning, address_of(id)));
  }
}

void VirtualNet::send(const Endpoint& from, const Endpoint& to, ByteView bytes) {
  ++datagrams;
  Captured datagram{from, to, to_bytes(bytes)};
  if (capturing) captured.push_back(datagram);
  if (tap && !tap(datagram)) return;
  const int copies = rng_.chance(faults.repeat) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    if (rng_.chance(faults.lose)) continue;
    Captured copy = datagram;
    if (rng_.chance(faults.damage)) {
      copy.bytes[rng_.below(copy.bytes.size())] ^= static_cast<std::uint8_t>(rng_.between(1, 255));
    }
    if (rng_.chance(faults.truncate)) copy.bytes.resize(rng_.below(copy.bytes.size()));
    const auto jitter = rng_.below(static_cast<std::uint64_t>(faults.jitter.count()) + 1);
    under_way_.emplace(now_ + faults.delay + Duration(jitter), std::move(copy));
  }
}

void VirtualNet::inject(const Captured& datagram) {
  deliver(datagram);
}

void VirtualNet::deliver(const Captured& datagram) {
  for (const auto& node : nodes_) {
    if (node->address() != datagram.to || !node->running()) continue;
    node->channel().on_datagram(datagram.from, datagram.bytes, now_);
  }
}

Instant VirtualNet::next_event() const {
  Instant next = under_way_.empty() ? kNever : under_way_.begin()->first;
  for (const auto& node : nodes_) {
    if (node->running()) next = std::min(next, node->channel().next_deadline());
  }
  return std::max(next, now_);
}

void VirtualNet::step(Instant until) {
  now_ = std::min(next_event(), until);
  while (!under_way_.empty() && under_way_.begin()->first <= now_) {
    const Captured datagram = std::move(under_way_.begin()->second);
    under_way_.erase(under_way_.begin());
    deliver(datagram);
  }
  for (const auto& node : nodes_) {
    if (!node->running()) continue;
    if (node->channel().next_deadline() <= now_) node->channel().on_deadline(now_);
    node->channel().flush(now_);
  }
}

void VirtualNet::run_for(Duration d) {
  const Instant until = now_ + d;
  while (now_ < until)
    step(until);
}

bool VirtualNet::run_until(const std::function<bool()>& condition, Duration at_most) {
  const Instant until = now_ + at_most;
  while (!condition()) {
    if (now_ >= until) return false;
    step(until);
  }
  return true;
}

bool VirtualNet::run_until_up(Duration at_most) {
  return run_until(
      [&] {
        for (const auto& node : nodes_) {
          for (const ChannelPeer& peer : node->options.peers) {
            if (!node->channel().session_up(peer.id)) return false;
          }
        }
        return true;
      },
      at_most);
}

}  // namespace migd::channel::test
