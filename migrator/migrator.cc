#include "migrator/migrator.h"

#include <algorithm>
#include <utility>

#include "base/reader.h"
#include "base/writer.h"
#include "forwarder/rendezvous.h"

namespace migd {
namespace {

constexpr Duration kAskAgain = 1s;  // the answer had no room in the channel

SipKey random_key(Rng& rng) {
  SipKey key;
  rng.fill(key);
  return key;
}

}  // namespace

Migrator::Migrator(MigratorOptions options, const ChannelOptions& channel_options, Parts parts,
                   Instant now)
    : options_(std::move(options)),
      bus_(parts.bus),
      lessor_(parts.lessor),
      load_(parts.load),
      metrics_(parts.metrics),
      shim_(parts.stack, parts.applications),
      channel_(parts.make_channel(channel_options, parts.datagrams, *this, parts.rng, parts.metrics,
                                  now)),
      driver_(std::make_unique<IntermediateDriver>(parts.stack, parts.tunnel, *channel_,
                                                   parts.drops, parts.metrics,
                                                   random_key(parts.rng), now)),
      env_(new MigratorEnvironment{options_,
                                   parts.stack,
                                   shim_,
                                   *driver_,
                                   parts.tunnel,
                                   *channel_,
                                   parts.bus,
                                   flow_ids_,
                                   parts.metrics,
                                   {}}),
      source_(std::make_unique<SourceHalf>(*env_, now)),
      target_(std::make_unique<TargetHalf>(*env_, now)),
      desk_(std::make_unique<OperatorDesk>(*env_, now)),
      unbound_(std::make_unique<UnboundConnections>(*env_, parts.applications)),
      now_(now) {
  parts.stack.set_migration_service(this);
  parts.stack.set_observer(this);
  parts.stack.set_arrival_handler(unbound_.get());
  subscribe(parts.bus);
  forwarders_.push_back(options_.self);  // of its own stragglers, if of nothing else
  for (const NodeInfo& peer : options_.peers) {
    if (peer.roles.forwarder) forwarders_.push_back(peer.id);
  }
  if (!options_.is_classifier) return;
  classifiers_.push_back(options_.self);
  for (const NodeInfo& peer : options_.peers) {
    if (peer.roles.classifier) classifiers_.push_back(peer.id);
  }
}

Migrator::~Migrator() = default;

void Migrator::subscribe(MessageBus& bus) {
  bus.subscribe<MigrationRequest>([this](const MigrationRequest& m) {
    if (m.target == NodeId{}) {
      unbound_->rearrange(m, source_->moving(m.connection));
    } else {
      source_->start(m, now_);
    }
  });
  bus.subscribe<MigrationFinished>(
      [this](const MigrationFinished& m) { desk_->on_finished(m, now_); });
  bus.subscribe<MappingInstalled>([this](const MappingInstalled& m) {
    for (auto& [source, barrier] : barriers_)
      if (barrier.tenure == m.tenure) barrier.quiet = m.quiet;
  });
  bus.subscribe<MappingRefused>([this](const MappingRefused& m) {
    if (m.request.half_open && m.request.owner != options_.self) {
      env_->send(m.request.owner,
                 wire::Moved{m.mapped, m.mapped_owner, m.request.tenure, m.request.tuple}, now_);
    }
  });
  bus.subscribe<ConnectionClassified>(
      [this](const ConnectionClassified& m) { unbound_->place(m, now_); });
}

const ConnectionRecord* Migrator::record(const ConnectionId& connection) const {
  const auto it = env_->records.find(connection);
  return it == env_->records.end() ? nullptr : &it->second;
}

// ---- time ----

Instant Migrator::next_deadline() const {
  return std::min({channel_->next_deadline(), driver_->next_deadline(), source_->next_deadline(),
                   target_->next_deadline(), desk_->next_deadline()});
}

void Migrator::on_deadline(Instant now) {
  now_ = now;
  channel_->on_deadline(now);
  driver_->on_deadline(now);
  source_->on_deadline(now);
  target_->on_deadline(now);
  desk_->on_deadline(now);
}

void Migrator::poll(Instant now) {
  now_ = now;
  source_->poll(now);
}

void Migrator::send_urgent(Instant now) {
  env_->urgent = false;
  channel_->flush(now);
}

void Migrator::flush(Instant now) {
  env_->urgent = false;
  for (const auto& [source, barrier] : barriers_)
    env_->send(source, barrier, now);
  barriers_.clear();
  driver_->forget_origins();
  for (const IntermediateDriver::Referral& referral : driver_->take_referrals()) {
    const wire::Moved moved{referral.newer.tenure, referral.newer.owner, {}, referral.tuple};
    if (!env_->send(referral.to, moved, now)) driver_->not_told(referral.tuple);
  }
  for (const NodeId forwarder : forwarders_) {
    announce_waiting(forwarder, now);
    lease_when_low(forwarder, now);
  }
  channel_->flush(now);
}

// ---- an application's own wish ----

Result<void> Migrator::migrate(Connection& connection, NodeId target, std::string application,
                               Bytes state) {
  MigrationRequest request;
  request.connection = connection.id();
  request.target = target;
  request.terms.application = application;
  request.expected_epoch = connection.epoch();
  request.asked_by = "application";
  if (const Blockers found = source_->blockers(connection, request); !found.empty()) {
    env_->count_refusal(found);
    return fail(ErrorCode::kBusy, found.to_string());
  }
  source_->set_handover(connection.id(), {std::move(application), std::move(state)});
  bus_.post(std::move(request));
  return {};
}

// ---- connections come and go ----

void Migrator::on_opened(Connection& connection) {
  // Attached: the target half keeps its record. It may be live by now.
  if (connection.epoch() != Epoch{1}) return;
  if (const NodeId from = driver_->origin_of(connection.tuple()); from != NodeId{}) {
    env_->records[connection.id()].forwarder = from;
    // As soon as its first choice is back, only a mapping brings its packets here.
    const NodeId first = first_choice(connection.tuple());
    if (first != options_.self && !channel_->session_up(first)) announce(connection, now_);
  }
  bus_.post(ConnectionOpened{connection.id(), connection.tuple(), connection.service()});
}

NodeId Migrator::first_choice(const FourTuple& tuple) const {
  if (classifiers_.size() < 2) return options_.self;
  return rendezvous_order(kRendezvousKey, tuple, classifiers_).front();
}

void Migrator::announce(const Connection& connection, Instant now) {
  env_->announce_owner(connection.tuple(), {connection.id(), connection.epoch()},
                       env_->forwarder_of(connection.id()), now);
}

// The forwarders may have known before us that it is away, and have sent us SYNs of its flows.
void Migrator::announce_unplaced(NodeId lost, Instant now) {
  if (std::find(classifiers_.begin(), classifiers_.end(), lost) == classifiers_.end()) return;
  env_->stack.for_each([&](Connection& connection) {
    const ConnectionRecord* known = record(connection.id());
    if (known == nullptr || known->forwarder == NodeId{} || connection.frozen()) return;
    if (connection.application().empty() && first_choice(connection.tuple()) == lost) {
      announce(connection, now);
    }
  });
}

void Migrator::on_gone(Connection& connection, CloseReason reason) {
  const Tenure tenure{connection.id(), connection.epoch()};
  if (reason == CloseReason::kMigrated) return;  // it lives on elsewhere
  bus_.post(ConnectionClosed{tenure, connection.tuple(), reason, connection.bytes_in(),
                             connection.bytes_out(), connection.age()});
  unmap(tenure, connection.tuple());
  env_->tunnel.unmap_inbound(connection.id());
  env_->records.erase(connection.id());
}

// At all forwarders: each is told of every connection when it comes up.
void Migrator::unmap(const Tenure& tenure, const FourTuple& tuple) {
  for (const NodeId forwarder : forwarders_) {
    if (forwarder != options_.self) {
      env_->send(forwarder, wire::Unmap{tenure, tuple}, now_);
    } else if (options_.is_forwarder) {
      bus_.post(MappingRemoveRequest{tuple, tenure});
    }
  }
}

// ---- sessions ----

bool Migrator::is_forwarder_peer(NodeId node) const {
  return std::any_of(options_.peers.begin(), options_.peers.end(),
                     [&](const NodeInfo& peer) { return peer.id == node && peer.roles.forwarder; });
}

void Migrator::on_session_up(NodeId peer, Boot boot, Instant now) {
  now_ = now;
  bus_.post(PeerUp{peer, boot});
  env_->tunnel.peer_booted(peer, boot);
  if (is_forwarder_peer(peer)) {
    flow_ids_.drop_forwarder(peer);  // of an earlier boot, or worth renewing
    lease_pending_.erase(peer);
    empty_tables_.insert(peer);  // for all we know
    env_->unannounced.erase(peer);
    lease_when_low(peer, now);
  }
  source_->on_session_up(peer, boot, now);
  target_->on_session_up(peer, now);
}

void Migrator::on_session_down(NodeId peer, std::string reason, Instant now) {
  now_ = now;
  bus_.post(PeerDown{peer, std::move(reason)});
  if (is_forwarder_peer(peer)) announce_elsewhere(peer, now);
  announce_unplaced(peer, now);
  source_->on_session_down(peer, now);
  desk_->on_session_down(peer, now);
}

Bytes Migrator::heartbeat_payload() {
  const PeerLoad load = load_.load();
  Bytes payload;
  ByteWriter out(payload);
  out.u32(load.connections);
  out.u16(load.busy_permille);
  out.u8(load.draining ? 1 : 0);
  return payload;
}

void Migrator::on_heartbeat(NodeId peer, ByteView payload, Instant now) {
  now_ = now;
  BoundedReader in(payload);
  PeerLoad load;
  load.connections = in.u32();
  load.busy_permille = in.u16();
  load.draining = in.u8() != 0;
  if (in.ok()) bus_.post(PeerLoadReported{peer, load});  // newer peers may say more
}

// ---- messages ----

void Migrator::on_message(NodeId origin, std::uint8_t kind, ByteView head, ByteView body,
                          Instant now) {
  now_ = now;
  const Result<wire::Message> message = wire::parse(kind, head);
  if (!message) {
    metrics_.counter("migd_migration_messages_refused_total{reason=\"malformed\"}").add();
    return;
  }
  handle(origin, *message, body, now);
}

void Migrator::on_relay(NodeId origin, NodeId destination, std::uint8_t kind, ByteView head,
                        Instant now) {
  now_ = now;
  const Result<wire::Message> message = wire::parse(kind, head);
  const auto* state = message ? std::get_if<wire::State>(&*message) : nullptr;
  if (state == nullptr || state->source != origin || state->target != destination ||
      state->forwarder != options_.self || !options_.is_forwarder) {
    metrics_.counter("migd_migration_messages_refused_total{reason=\"relay\"}").add();
    return;
  }
  install_mapping(*state);
}

void Migrator::on_undeliverable(NodeId via, NodeId /*to*/, std::uint8_t kind, ByteView head,
                                std::string reason, Instant now) {
  now_ = now;
  const Result<wire::Message> message = wire::parse(kind, head);
  const auto* state = message ? std::get_if<wire::State>(&*message) : nullptr;
  if (state != nullptr) source_->on_undeliverable(state->tenure, via, reason, now);
}

void Migrator::install_mapping(const wire::State& head) {
  bus_.post(MappingRequest{head.tuple, head.tenure, head.target, head.flow, head.source});
  send_barrier(head);
  env_->urgent = true;
}

// Down the old way, behind the last packet that took it; STATE does not wait for that.
void Migrator::send_barrier(const wire::State& head) {
  barriers_.emplace_back(head.source, wire::Barrier{head.tenure, options_.self, options_.boot});
}

void Migrator::handle(NodeId origin, const wire::Message& message, ByteView body, Instant now) {
  struct Visitor {
    Migrator& self;
    NodeId origin;
    ByteView body;
    Instant now;

    void operator()(const wire::State& m) const {
      if (m.source != origin || m.target != self.options_.self) {
        self.metrics_.counter("migd_migration_messages_refused_total{reason=\"misdirected\"}")
            .add();
        return;
      }
      self.source_->on_superseded(m.tenure.connection, m.tenure.epoch, now);
      self.target_->on_state(m, body, now);
      if (m.forwarder == self.options_.self && self.options_.is_forwarder) {
        self.send_barrier(m);
      }
    }
    void operator()(const wire::Prepare& m) const { self.target_->on_prepare(m, origin, now); }
    void operator()(const wire::Promise& m) const { self.source_->on_promise(m, origin, now); }
    void operator()(const wire::Ready& m) const { self.source_->on_ready(m, origin, now); }
    void operator()(const wire::Refuse& m) const { self.source_->on_refuse(m, origin, now); }
    void operator()(const wire::Grant& m) const { self.target_->on_grant(m, origin, now); }
    void operator()(const wire::Active& m) const { self.source_->on_active(m, origin, now); }
    void operator()(const wire::Abort& m) const { self.target_->on_abort(m, origin, now); }
    void operator()(const wire::Barrier& m) const {
      // From the forwarder to the source, then from the source to the target.
      if (m.forwarder == origin && self.source_->on_barrier(m, now)) return;
      self.target_->on_barrier(m, origin, now);
    }
    void operator()(const wire::Map& m) const {
      if (m.owner == origin && self.options_.is_forwarder) {
        self.bus_.post(MappingRequest{m.tuple, m.tenure, m.owner, m.flow, NodeId{}, m.half_open});
      }
    }
    void operator()(const wire::Unmap& m) const {
      self.bus_.post(MappingRemoveRequest{m.tuple, m.tenure});
    }
    void operator()(const wire::LeaseRequest&) const { self.on_lease_request(origin, now); }
    void operator()(const wire::Lease& m) const { self.on_lease(origin, m, now); }
    void operator()(const wire::Locate& m) const { self.desk_->on_locate(origin, m, now); }
    void operator()(const wire::Located& m) const { self.desk_->on_located(origin, m, now); }
    void operator()(const wire::Order& m) const { self.desk_->on_order(origin, m, now); }
    void operator()(const wire::Trace& m) const { self.desk_->on_trace(origin, m, now); }
    void operator()(const wire::Traced& m) const { self.desk_->on_traced(origin, m, body, now); }
    void operator()(const wire::Moved& m) const {
      if (m.owner == self.options_.self) return;  // it has been here since
      self.driver_->collapse(m.tuple, origin, {m.tenure, m.owner, FlowId{}});
      self.unbound_->on_superseded(m, origin, now);
      if (self.options_.is_forwarder) {  // one that the flow was turned to, and that never knew it
        self.bus_.post(MappingRequest{m.tuple, m.tenure, m.owner, FlowId{}});
      }
    }
    void operator()(const wire::OrderResult& m) const {
      self.desk_->on_order_result(origin, m, now);
    }
  };
  std::visit(Visitor{*this, origin, body, now}, message);
}

// ---- flow identifiers ----

void Migrator::on_lease_request(NodeId from, Instant now) {
  if (!options_.is_forwarder) return;
  const FlowIdLease lease = lessor_.lease(now);
  env_->send(from, wire::Lease{lease.first, lease.count, lease.key}, now);
}

void Migrator::on_lease(NodeId from, const wire::Lease& lease, Instant now) {
  if (!is_forwarder_peer(from)) return;
  lease_pending_.erase(from);
  flow_ids_.add({from, channel_->peer_boot(from)}, {lease.first, lease.count, lease.key});
  if (empty_tables_.erase(from) > 0) announce_all(from, now);
}

void Migrator::lease_when_low(NodeId forwarder, Instant now) {
  if (!flow_ids_.is_low(forwarder)) return;
  const auto asked = lease_pending_.find(forwarder);
  if (asked != lease_pending_.end() && now < asked->second + kAskAgain) return;
  if (forwarder == options_.self) {
    flow_ids_.add({forwarder, options_.boot}, lessor_.lease(now));
  } else if (channel_->session_up(forwarder) && env_->send(forwarder, wire::LeaseRequest{}, now)) {
    lease_pending_[forwarder] = now;
  }
}

// Those of other forwarders as well: whoever spreads the clients' flows may turn any to it.
void Migrator::announce_all(NodeId forwarder, Instant now) {
  env_->stack.for_each([&](Connection& connection) {
    if (record(connection.id()) == nullptr || connection.frozen()) return;
    env_->announce_to(forwarder, connection.tuple(), {connection.id(), connection.epoch()}, now);
  });
}

void Migrator::announce_elsewhere(NodeId lost, Instant now) {
  const NodeId other = env_->default_forwarder();
  if (other == NodeId{} || other == lost) return;
  env_->stack.for_each([&](Connection& connection) {
    const ConnectionRecord* known = record(connection.id());
    if (known == nullptr || known->forwarder != lost || connection.frozen()) return;
    env_->announce_owner(connection.tuple(), {connection.id(), connection.epoch()}, lost, now);
  });
}

// A forwarder that is back leases a block of identifiers at a time, and a node may own more
// connections than that.
void Migrator::announce_waiting(NodeId forwarder, Instant now) {
  const auto it = env_->unannounced.find(forwarder);
  if (it == env_->unannounced.end()) return;
  while (!it->second.empty()) {
    const ConnectionId id = *it->second.begin();
    it->second.erase(it->second.begin());
    const Connection* connection = env_->stack.find(id);
    if (connection == nullptr || connection->frozen()) continue;  // its move maps it
    if (!env_->announce_to(forwarder, connection->tuple(), {id, connection->epoch()}, now)) {
      return;
    }
  }
  env_->unannounced.erase(it);
}

}  // namespace migd
