#include "tests/fuzz/protocol_cluster.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "stack/assertion_guard.h"
#include "tests/fuzz/finding.h"
#include "tests/fuzz/no_streams.h"

namespace migd::fuzz {
namespace {

constexpr std::size_t kPacketsMax = 500, kMessagesMax = 1000;
const Endpoint kVip{IpAddress::v4(0x0a4d0050), 7};

IpAddress tunnel_address(NodeId node) {
  return IpAddress::v4(0x0a4d0100u + node.value);
}

test::PeerOptions client_options(std::size_t number) {
  test::PeerOptions options;
  options.local = {IpAddress::v4(0x0a4d0900u + static_cast<std::uint32_t>(number) + 1),
                   static_cast<std::uint16_t>(40000 + number)};
  options.remote = kVip;
  options.iss = 1000 * static_cast<std::uint32_t>(number + 1);
  options.window = 60'000;
  return options;
}

}  // namespace

// ---- machines ----

struct ProtocolCluster::Machine : Link {
  Machine(ProtocolCluster& in, NodeId node)
      : cluster(in), id(node), rng(node.value), loop(in.world_, {}) {}

  const LinkCapabilities& capabilities() const override { return link; }
  std::string description() const override { return "fuzz"; }
  void send(Frame frame) override { cluster.on_packet(id, frame.bytes()); }
  void set_receiver(FrameSink* to) override { receiver = to; }
  std::uint64_t frames_dropped() const override { return 0; }
  void deliver(ByteView bytes) {
    if (receiver == nullptr) return;
    receiver->on_frame(pool->copy_of(bytes), loop.now());
    receiver->on_batch_end(loop.now());
  }

  ProtocolCluster& cluster;
  NodeId id;
  sim::SimRng rng;
  LinkCapabilities link;
  sim::SimNodeLoop loop;
  NullLog log;
  NoStreams streams;
  std::shared_ptr<FramePool> pool = FramePool::create();
  FrameSink* receiver = nullptr;
  std::unique_ptr<Node> node;
};

struct ProtocolCluster::Client {
  explicit Client(std::size_t number) : peer(client_options(number)) {}

  test::Peer peer;
  Bytes sent;
  bool ended = false;   // it closes, or resets
  bool harmed = false;  // its connection may have died: nothing is expected any more
  Instant spoke_at{};   // the stack gives up on a client that is silent for long
};

NodeOptions ProtocolCluster::options_of(NodeId node) const {
  const auto info = [](std::uint16_t i) {
    NodeInfo made;
    made.id = NodeId{i};
    made.name = "n" + std::to_string(i);
    made.roles = {.forwarder = i == 1, .classifier = i == 1, .host = true};
    made.tunnel_v4 = tunnel_address(made.id);
    return made;
  };
  NodeOptions options;
  options.self = info(node.value);
  options.window_bytes = 32u << 10;
  options.send_buffer_bytes = 32u << 10;
  options.migration_timeout = 2s;
  options.migration_prepare = node.value != 3;  // both ways to begin
  for (std::uint16_t i = 1; i <= kNodes; ++i) {
    if (i != node.value) options.peers.push_back({info(i), {}});
  }
  ServiceOptions echo;
  echo.name = "echo";
  echo.vips = {kVip};
  echo.protocol = ServiceOptions::Protocol::kNone;
  echo.default_target = NodeTarget{NodeId{1}};
  echo.default_application = "echo";
  options.services = {echo};
  ApplicationOptions application;
  application.name = "echo";
  options.applications = {application};
  return options;
}

ProtocolCluster::ProtocolCluster() {
  world_.run_until(Instant(100s));
  for (std::size_t i = 0; i < kClients; ++i)
    clients_[i] = std::make_unique<Client>(i);
  for (std::uint16_t i = 1; i <= kNodes; ++i) {
    machines_[i - 1u] = std::make_unique<Machine>(*this, NodeId{i});
    start(NodeId{i});
  }
  for (std::uint16_t a = 1; a <= kNodes; ++a) {
    for (std::uint16_t b = 1; b < a; ++b)
      fabric_.begin_session(NodeId{a}, NodeId{b}, now());
  }
  settle();
  deliver_messages(kMessagesMax);
  for (const auto& client : clients_) {
    client->spoke_at = now();
    machine(NodeId{1}).deliver(client->peer.syn());
    carry_all();
    machine(NodeId{1}).deliver(client->peer.ack());
    carry_all();
  }
  deliver_messages(kMessagesMax);
}

ProtocolCluster::~ProtocolCluster() {
  for (std::uint16_t i = 1; i <= kNodes; ++i)
    machine(NodeId{i}).node.reset();
}

void ProtocolCluster::start(NodeId node) {
  Machine& m = machine(node);
  auto made = Node::create(options_of(node), {.link = m,
                                              .loop = m.loop,
                                              .rng = m.rng,
                                              .log = m.log,
                                              .files = files_,
                                              .streams = m.streams,
                                              .pool = m.pool,
                                              .unix_time = {},
                                              .make_channel = fabric_.factory()});
  MIGD_CHECK(made.has_value());
  m.node = std::move(*made);
}

void ProtocolCluster::crash(NodeId node) {
  crashed_ = true;
  for (const auto& client : clients_)
    client->harmed = true;
  fabric_.remove(node);
  machine(node).node.reset();
  start(node);
  for (std::uint16_t i = 1; i <= kNodes; ++i) {
    if (NodeId{i} != node) fabric_.end_session(node, NodeId{i}, now());
  }
  settle();
}

// What the engines were told outside of a batch of frames.
void ProtocolCluster::settle() {
  for (const auto& m : machines_) {
    if (m != nullptr && m->receiver != nullptr) m->receiver->on_batch_end(now());
  }
}

ConnectionId ProtocolCluster::id_of(std::size_t client) const {
  for (const auto& m : machines_) {
    const FourTuple tuple{kVip, clients_[client]->peer.options.local};
    if (const Connection* c = m->node->stack().find(tuple)) return c->id();
  }
  return {NodeId{1}, fabric_.boot_of(NodeId{1}), client};
}

// ---- packets ----

void ProtocolCluster::on_packet(NodeId from, ByteView bytes) {
  const auto ip = parse_ip(bytes);
  MIGD_FUZZ_HOLDS(ip.has_value(), "a node sends what is no IP packet");
  const auto client = std::find_if(clients_.begin(), clients_.end(), [&](const auto& c) {
    return c->peer.options.local.address == ip->dst;
  });
  if (client != clients_.end()) {
    // The source of a migration is silent, and so is whoever a later epoch has fenced off.
    const FourTuple tuple{kVip, (*client)->peer.options.local};
    Connection* const connection =
        machine(from).node ? machine(from).node->stack().find(tuple) : nullptr;
    if (connection != nullptr && honest_ && !crashed_) {
      MIGD_FUZZ_HOLDS(!connection->frozen(), "a frozen connection talks");
      Epoch& highest = highest_[connection->id()];
      MIGD_FUZZ_HOLDS(connection->epoch() >= highest, "a node talks whose tenure is over");
      highest = connection->epoch();
    }
  }
  packets_.push_back({ip->dst, to_bytes(bytes)});
  if (packets_.size() > kPacketsMax) packets_.pop_front();
}

void ProtocolCluster::carry(std::size_t i, bool keep) {
  const Packet packet = packets_[i];
  if (!keep) packets_.erase(packets_.begin() + static_cast<std::ptrdiff_t>(i));
  for (const auto& m : machines_) {
    if (packet.to == tunnel_address(m->id)) m->deliver(packet.bytes);
  }
  for (const auto& client : clients_) {
    if (client->peer.options.local.address != packet.to) continue;
    const auto seen = test::see(machines_[0]->pool->copy_of(packet.bytes), now());
    MIGD_FUZZ_HOLDS(seen.has_value(), "a node sends what is no TCP segment");
    if (client->harmed || !honest_) continue;
    client->peer.take(*seen);
    MIGD_FUZZ_HOLDS(!client->peer.reset_received || client->ended,
                    "the client is reset, for nothing it has done");
  }
}

bool ProtocolCluster::is_client(const IpAddress& address) const {
  return std::any_of(clients_.begin(), clients_.end(),
                     [&](const auto& c) { return c->peer.options.local.address == address; });
}

// Those to a client in the order in which they were sent: what it sees is judged by that.
std::size_t ProtocolCluster::pick_packet(Input& in) const {
  const std::size_t i = in.u8() % packets_.size();
  if (!is_client(packets_[i].to)) return i;
  const auto first = std::find_if(packets_.begin(), packets_.end(),
                                  [&](const Packet& p) { return p.to == packets_[i].to; });
  return static_cast<std::size_t>(first - packets_.begin());
}

void ProtocolCluster::carry_all() {
  for (std::size_t i = 0; i < kPacketsMax && !packets_.empty(); ++i)
    carry(0, false);
}

void ProtocolCluster::deliver_messages(std::size_t most) {
  for (std::size_t i = 0; i < most && fabric_.waiting() > 0; ++i) {
    fabric_.deliver(0, false, now());
    settle();
    check();
  }
}

void ProtocolCluster::pass(Duration time) {
  const Instant until = now() + time;
  for (int i = 0; i < 3000; ++i) {  // events; what is left comes the next time
    if (!world_.run_until([] { return true; }, until)) break;
  }
  world_.run_until(until);
  check();
  for (const auto& client : clients_) {
    if (now() - client->spoke_at > 60s) client->harmed = true;
  }
}

// ---- what the input may say ----

void ProtocolCluster::migrate(NodeId at, std::size_t client, NodeId target) {
  machine(at).node->migrate(id_of(client).to_string(), "n" + std::to_string(target.value), {2s},
                            [](const MigrateReport&) {});
  machine(at).node->trace(id_of(client).to_string(), [](const TraceReport&) {});
}

void ProtocolCluster::prelude(std::uint8_t way, std::uint8_t messages) {
  if (way % 2 == 1) {  // it has moved before
    migrate(NodeId{1}, 0, NodeId{2});
    deliver_messages(kMessagesMax);
    carry_all();
    pass(1s);
  }
  migrate(NodeId{static_cast<std::uint16_t>(1 + way / 2 % kNodes)}, 0, NodeId{3});
  pass(1ms);
  deliver_messages(messages);
}

void ProtocolCluster::step(Input& in) {
  switch (in.below(14)) {
    case 0:
      forge(in);
      break;
    case 1:
    case 2:
    case 3:
      if (fabric_.waiting() > 0)
        fabric_.deliver(in.u8() % fabric_.waiting(), in.below(8) == 0, now());
      break;
    case 4:
      deliver_messages(kMessagesMax);
      break;
    case 5:
    case 6:
      migrate(pick_node(in), in.below(kClients), pick_node(in));
      break;
    case 7:
    case 8:
      talk(*clients_[in.below(kClients)], in);
      break;
    case 9:
      if (!packets_.empty()) {
        const std::size_t i = pick_packet(in);
        if (in.below(4) == 0) {
          packets_.erase(packets_.begin() + static_cast<std::ptrdiff_t>(i));  // lost
        } else {
          carry(i, in.below(4) == 0 && !is_client(packets_[i].to));
        }
      }
      break;
    case 10:
      carry_all();
      break;
    case 11:
      pass(Duration(10us) * in.size());
      break;
    case 12:
      sessions(in);
      break;
    case 13:
      if (in.below(16) == 1) crash(pick_node(in));
      break;
  }
  settle();
  check();
}

void ProtocolCluster::sessions(Input& in) {
  const NodeId a = pick_node(in), b = pick_node(in);
  if (a == b) return;
  if (in.flag()) {
    fabric_.begin_session(a, b, now());
  } else {
    fabric_.end_session(a, b, now());
  }
}

void ProtocolCluster::talk(Client& client, Input& in) {
  test::Peer& peer = client.peer;
  Machine& forwarder = machine(NodeId{1});
  client.spoke_at = now();
  switch (in.below(6)) {
    case 0:
    case 1: {
      const auto room = static_cast<std::size_t>(std::max(peer.right_edge - peer.send_next, 0));
      if (client.ended) return;
      const Bytes data =
          test::ramp(std::min<std::size_t>(in.size() % 1400, room), client.sent.size());
      append(client.sent, data);
      return forwarder.deliver(peer.data(data));
    }
    case 2:
      return forwarder.deliver(peer.ack());
    case 3: {  // once more, what is not acknowledged
      const SeqNum begin(peer.options.iss + 1);
      const auto at = static_cast<std::size_t>(std::max(peer.acked - begin, 0));
      if (at >= client.sent.size()) return;
      const std::size_t n = std::min<std::size_t>(client.sent.size() - at, 1400);
      return forwarder.deliver(
          peer.data(ByteView(client.sent).subspan(at, n), {.seq = peer.acked}));
    }
    case 4:
      if (in.below(8) != 0 || client.ended) return;
      client.ended = true;
      return forwarder.deliver(peer.fin());
    case 5:
      if (in.below(16) != 0) return;
      client.ended = client.harmed = true;
      return forwarder.deliver(peer.rst());
  }
}

// ---- a node that holds keys and lies ----

std::optional<wire::Message> ProtocolCluster::forged(Input& in, std::uint8_t kind) {
  using namespace wire;
  const std::size_t about = in.below(kClients);
  ConnectionId id = id_of(about);
  if (in.below(8) == 0) id.counter += in.u8();
  const Tenure tenure{id, Epoch{in.below(16) == 0 ? in.u32() : in.below(8)}};
  FourTuple tuple{kVip, clients_[about]->peer.options.local};
  if (in.below(8) == 0) tuple.peer.port = in.u16();
  if (in.below(16) == 0) tuple.local.port = in.u16();
  const auto node = [&] { return NodeId{in.below(5)}; };
  const auto flow = [&] { return FlowId{in.below(4) == 0 ? in.u32() : in.below(16)}; };
  switch (static_cast<Kind>(kind)) {
    case Kind::kState:
      return State{tenure, node(), node(), node(), flow(), flow(), in.flag(), in.flag(), tuple};
    case Kind::kReady:
      return Ready{tenure};
    case Kind::kRefuse:
      return Refuse{tenure, "forged"};
    case Kind::kGrant:
      return Grant{tenure, Duration(in.u32())};
    case Kind::kActive:
      return Active{tenure, Duration(in.u32())};
    case Kind::kAbort:
      return Abort{tenure, "forged"};
    case Kind::kBarrier:
      return Barrier{tenure, node(), Boot{in.u64()}, in.flag()};
    case Kind::kMap:
      return Map{tenure, node(), flow(), in.flag(), tuple};
    case Kind::kUnmap:
      return Unmap{tenure, tuple};
    case Kind::kLeaseRequest:
      return LeaseRequest{};
    case Kind::kLease:
      return Lease{in.u32(), in.u32(), {}};
    case Kind::kLocate:
      return Locate{in.u8(), id.to_string().substr(0, in.below(33))};
    case Kind::kLocated:
      return Located{in.below(4), {{tenure, in.flag(), node()}}};
    case Kind::kOrder: {
      const std::uint8_t request = in.u8();
      const NodeId target = node();
      const auto mode = request % 2 == 0 ? MigrationMode::kNow : MigrationMode::kHold;
      return Order{request, id, target, {Duration(1us) * in.u32(), mode}};
    }
    case Kind::kOrderResult: {
      MigrationFinished finished;
      finished.request = in.below(4);
      finished.tenure = tenure;
      finished.source = node();
      finished.target = node();
      finished.outcome = static_cast<MigrationOutcome>(in.below(3));
      return OrderResult{finished};
    }
    case Kind::kPrepare:
      return Prepare{tenure, tuple, in.flag(), in.flag() ? "echo" : "other"};
    case Kind::kTrace:
      return Trace{in.u8(), id};
    case Kind::kTraced:
      return Traced{in.below(4), in.flag(), tenure, tuple};
    case Kind::kMoved:
      return Moved{tenure, node(), {id_of(in.below(clients_.size())), Epoch{in.below(8)}}, tuple};
    case Kind::kPromise:
      return Promise{tenure, in.flag() ? "" : "forged"};
  }
  return std::nullopt;
}

// The first byte that follows decides between bytes as they are and a message that is well formed.
void ProtocolCluster::forge(Input& in) {
  Fabric::Waiting message;
  message.origin = message.from = pick_node(in);
  message.destination = message.to = pick_node(in);
  if (message.from == message.to) return;
  honest_ = false;
  message.kind = in.below(21);
  if (in.below(8) == 0) {
    message.head = to_bytes(in.bytes(in.u8()));
  } else if (const auto made = forged(in, message.kind)) {
    message.head = wire::serialize(*made);
    if (in.below(8) == 0 && !message.head.empty())
      message.head[in.u8() % message.head.size()] ^= in.u8();
  }
  if (message.kind == static_cast<std::uint8_t>(wire::Kind::kState)) {
    message.body = fabric_.latest_blob();
    if (in.flag() && !message.body.empty()) message.body[in.u16() % message.body.size()] ^= in.u8();
    if (in.below(4) == 0) message.destination = pick_node(in);  // to be relayed
  }
  fabric_.forge(message, now());
}

// ---- what must hold ----

void ProtocolCluster::check() {
  for (const auto& m : machines_) {
    if (m->node->metrics().counter("migd_stack_quarantined_connections_total").value == 0) continue;
    finding(std::string("an assertion of lwIP failed: ") + AssertionGuard::last_failure().message);
  }
  if (!honest_) return;
  for (const auto& client : clients_) {
    int owners = 0;
    for (const auto& m : machines_) {
      const Connection* c = m->node->stack().find(FourTuple{kVip, client->peer.options.local});
      if (c != nullptr && !c->frozen()) ++owners;
    }
    MIGD_FUZZ_HOLDS(owners <= 1 || client->harmed, "a connection has two owners");
  }
}

void ProtocolCluster::finish() {
  for (std::uint16_t a = 1; a <= kNodes; ++a) {
    for (std::uint16_t b = 1; b < a; ++b)
      fabric_.begin_session(NodeId{a}, NodeId{b}, now());
  }
  settle();
  for (int i = 0; i < 40; ++i) {
    deliver_messages(kMessagesMax);
    carry_all();
    for (const auto& client : clients_) {
      const SeqNum begin(client->peer.options.iss + 1);
      const auto at = static_cast<std::size_t>(std::max(client->peer.acked - begin, 0));
      const std::size_t n =
          std::min<std::size_t>(client->sent.size() - std::min(at, client->sent.size()), 1400);
      client->spoke_at = now();
      machine(NodeId{1}).deliver(n == 0 ? client->peer.ack()
                                        : client->peer.data(ByteView(client->sent).subspan(at, n),
                                                            {.seq = client->peer.acked}));
    }
    carry_all();
    pass(2s);
  }
  if (!honest_) return;
  for (const auto& m : machines_) {
    MIGD_FUZZ_HOLDS(m->node->stack().counts().frozen == 0, "a connection is frozen for ever");
  }
  for (const auto& client : clients_) {
    if (client->harmed || client->ended) continue;
    MIGD_FUZZ_HOLDS(client->peer.received == client->sent,
                    "the client has got " + std::to_string(client->peer.received.size()) + " of " +
                        std::to_string(client->sent.size()) + " bytes");
  }
}

}  // namespace migd::fuzz
