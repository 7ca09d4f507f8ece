#include "cli/node.h"

#include <algorithm>
#include <utility>

#include "base/packet.h"

namespace migd {
namespace {

// Room that the announced MSS leaves, and what a datagram of the channel may take.
std::size_t datagram_max(const LinkCapabilities& link) {
  return std::min<std::size_t>(link.mtu, 1500) - ip_header_size(Family::kIpv6) -
         UdpView::kHeaderSize - 16;
}

constexpr Duration kTraceTimeout = 3s;

std::vector<NodeInfo> infos_of(const std::vector<PeerOptions>& peers) {
  std::vector<NodeInfo> infos;
  infos.reserve(peers.size());
  for (const PeerOptions& peer : peers)
    infos.push_back(peer.info);
  return infos;
}

Endpoint channel_endpoint(const NodeOptions& self, const NodeInfo& peer) {
  const bool v4 = self.self.tunnel_v4 && peer.tunnel_v4;
  return {v4 ? *peer.tunnel_v4 : *peer.tunnel_v6, self.channel_port};
}

StackOptions stack_options(const NodeOptions& node, Boot boot, const LinkCapabilities& link,
                           KnownFlows* known) {
  StackOptions options;
  options.known_flows = known;
  options.node = node.self.id;
  options.boot = boot;
  options.link = link;
  options.window = node.window_bytes;
  options.send_buffer = node.send_buffer_bytes;
  options.unsent_low_water = std::min(options.unsent_low_water, node.send_buffer_bytes);
  options.timestamps = node.timestamps;
  options.sack = node.sack;
  options.keepalive_idle = node.keepalive;
  options.backlog = node.syn_backlog;
  options.syn_cookies = node.syn_cookies;
  options.connections_max = node.max_connections;
  options.memory = node.memory_bytes;
  if (node.peers.empty()) options.mss_reserve = 0;  // nothing is ever encapsulated
  options.min_rto = node.min_rto;
  options.user_timeout = node.user_timeout;
  options.congestion_control = node.congestion_control;
  return options;
}

ChannelOptions channel_options(const NodeOptions& node, Boot boot, const LinkCapabilities& link) {
  ChannelOptions options;
  options.self = node.self.id;
  options.boot = boot;
  options.secret_keys = node.secret_keys;
  options.datagram_max = datagram_max(link);
  options.heartbeat = node.heartbeat;
  options.dead_after = node.dead_after;
  for (const PeerOptions& peer : node.peers) {
    options.peers.push_back({peer.info.id, channel_endpoint(node, peer.info), peer.public_keys});
  }
  return options;
}

}  // namespace

Node::Node(const NodeOptions& options, NodeServices services)
    : options_(options),
      services_(std::move(services)),
      boot_{services_.rng.u64() & kBootMask},
      started_(services_.loop.now()),
      peers_(infos_of(options.peers)),
      load_meter_(services_.processor_time, started_),
      output_(services_.link) {}

// Without shut_down() before it, this is how a crash looks to the others: silence.
Node::~Node() {
  services_.link.set_receiver(nullptr);
  output_.muted = true;
  if (migrator_ != nullptr) stack_->shut_down(services_.loop.now());
}

Result<std::unique_ptr<Node>> Node::create(const NodeOptions& options, NodeServices services) {
  std::unique_ptr<Node> node(new Node(options, std::move(services)));
  if (Result<void> built = node->build(); !built) return tl::unexpected(built.error());
  return node;
}

Result<void> Node::build() {
  const Instant now = started_;
  const LinkCapabilities& link = services_.link.capabilities();
  KnownFlows* const known = services_.link.known_flows();
  stack_ = Stack::create(stack_options(options_, boot_, link, known), output_, services_.pool,
                         services_.rng, metrics_, now);
  tunnel_ =
      std::make_unique<Tunnel>(options_.self, peers_, options_.gue_port, options_.channel_port,
                               link, services_.pool, output_, drops_, services_.rng);
  health_ = std::make_unique<NodeHealth>(options_.self, peers_, bus_);
  lessor_ = std::make_unique<FlowIdLessor>(services_.rng);
  forwarder_ =
      std::make_unique<Forwarder>(options_.self, peers_, *tunnel_, *health_, bus_, drops_,
                                  services_.rng, now, MappingTableOptions{.known_flows = known});
  if (known != nullptr) know_own_addresses(*known);

  streams_ = std::make_unique<NodeStreams>(
      services_.streams, NodeStreams::Turn{[this] { stack_->on_deadline(services_.loop.now()); },
                                           [this] { settle(services_.loop.now()); }});
  auto applications = ApplicationRegistry::create(
      options_.applications,
      {services_.files, *streams_, services_.log, metrics_, services_.unix_time});
  if (!applications) return tl::unexpected(applications.error());
  applications_ = std::move(*applications);

  MigratorOptions migrator{options_.self.id,
                           boot_,
                           options_.self.roles.forwarder,
                           options_.self.roles.classifier,
                           options_.migration_timeout,
                           options_.migration_prepare,
                           peers_,
                           {}};
  for (const ServiceOptions& service : options_.services) {
    migrator.vips.insert(migrator.vips.end(), service.vips.begin(), service.vips.end());
  }
  migrator_ = std::make_unique<Migrator>(
      std::move(migrator), channel_options(options_, boot_, link),
      Migrator::Parts{*stack_, *applications_, *tunnel_, *lessor_, bus_, drops_, metrics_,
                      services_.rng, *tunnel_, *this, services_.make_channel},
      now);
  drain_ = std::make_unique<Drain>(
      Drain::Parts{options_.self.id, options_.services, *stack_, *migrator_, *health_, bus_}, now);
  if (Result<void> listening = listen(); !listening) return listening;
  subscribe();

  timer_ = services_.loop.make_timer([this] { on_timer(); });
  services_.link.set_receiver(this);
  settle(now);
  return {};
}

// What comes to them comes from a peer.
void Node::know_own_addresses(KnownFlows& known) const {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    if (const auto& address = options_.self.tunnel(family)) known.add_destination(*address);
  }
}

Result<void> Node::listen() {
  if (!options_.self.roles.classifier) return {};
  for (const ServiceOptions& service : options_.services) {
    classifiers_.push_back(
        std::make_unique<Classifier>(service, options_.self.id, *health_, bus_, started_));
    for (const Endpoint& vip : service.vips) {
      if (Result<void> opened = stack_->listen(vip, service.name, classifiers_.back().get());
          !opened) {
        return opened;
      }
    }
  }
  return {};
}

void Node::subscribe() {
  bus_.observe([this](const Message& message) {
    count(message);
    log(message);
    for (const auto& observer : event_observers_)
      observer(message, services_.loop.now());
  });
}

void Node::count(const Message& message) {
  if (std::holds_alternative<MigrationArrived>(message)) ++migrations_.arrived;
  const auto* finished = std::get_if<MigrationFinished>(&message);
  if (finished == nullptr) return;
  switch (finished->outcome) {
    case MigrationOutcome::kCompleted:
      ++migrations_.completed;
      break;
    case MigrationOutcome::kRefused:
      ++migrations_.refused;
      break;
    case MigrationOutcome::kAborted:
      ++migrations_.aborted;
      break;
  }
}

void Node::log(const Message& message) {
  const bool worth_a_line = std::holds_alternative<ConnectionOpened>(message) ||
                            std::holds_alternative<ConnectionClosed>(message) ||
                            std::holds_alternative<MigrationFinished>(message) ||
                            std::holds_alternative<MigrationArrived>(message) ||
                            std::holds_alternative<PeerUp>(message) ||
                            std::holds_alternative<PeerDown>(message);
  if (!worth_a_line || !services_.log.writes(LogLevel::kInfo)) return;
  services_.log.info(migd::name_of(message), fields_of(message));
}

// ---- frames ----

void Node::on_frame(Frame frame, Instant now) {
  const auto ip = parse_ip(frame.bytes());
  if (!ip) {
    drops_.count(ip.error());
    return;
  }
  migrator_->set_time(now);
  if (tunnel_->is_own_address(ip->dst)) {
    migrator_->driver().on_tunnel_frame(std::move(frame), now);
    if (migrator_->urgent()) end_silence(now);
    return;
  }
  if (forwarder_->route(frame, *ip, now) == Forwarder::Route::kLocal) {
    migrator_->driver().deliver(std::move(frame), IntermediateDriver::Arrival::kDirect, now);
  }
}

// The new owner's segments first, then a state that goes on to its target behind its mapping.
void Node::end_silence(Instant now) {
  stack_->send_written(now);
  bus_.dispatch();
  migrator_->send_urgent(now);
}

void Node::on_batch_end(Instant now) {
  settle(now);
}

// What one engine says makes another act, until nobody has anything left to say. Applications come
// first: what they consume now need not travel if the bus then says that their connection moves.
void Node::settle(Instant now) {
  migrator_->set_time(now);
  forwarder_->set_time(now);
  health_->set_own_load(load());
  take_back_syns(now);
  for (;;) {
    stack_->deliver_events(now);
    for (const auto& classifier : classifiers_)
      classifier->on_deadline(now);
    migrator_->poll(now);
    drain_->poll(now);
    if (bus_.empty()) break;
    bus_.dispatch();
  }
  migrator_->flush(now);
  forwarder_->send_order_marks();
  return_syns();
  arm_timer();
}

void Node::take_back_syns(Instant now) {
  for (auto& syn : migrator_->driver().take_returned_syns()) {
    if (!forwarder_->follow(syn.frame, syn.tuple, syn.mapped, syn.by, syn.hops)) {
      migrator_->driver().deliver(std::move(syn), now);
    }
  }
}

// Their forwarder has been told that the connection which had their tuple is over, but a SYN may
// overtake the message: it says so too, by the tenure that it is not of.
void Node::return_syns() {
  for (auto& syn : migrator_->driver().take_unclaimed_syns()) {
    if (options_.self.roles.forwarder) {
      forwarder_->classify_again(std::move(syn.frame), syn.hops);
    } else {
      GueHeader header;
      header.forwarded = true;
      header.hops = static_cast<std::uint8_t>(syn.hops + 1);
      header.tenure = syn.mapped;
      tunnel_->send_gue(std::move(syn.frame), syn.from, header);
    }
  }
}

// ---- time ----

void Node::arm_timer() {
  Instant next = std::min({stack_->next_deadline(), migrator_->next_deadline(),
                           drain_->next_deadline(), forwarder_->next_deadline()});
  for (const auto& classifier : classifiers_)
    next = std::min(next, classifier->next_deadline());
  if (next == kNever) {
    timer_->stop();
  } else {
    timer_->start(next);
  }
}

void Node::on_timer() {
  const Instant now = services_.loop.now();
  stack_->on_deadline(now);
  migrator_->on_deadline(now);
  forwarder_->on_deadline(now);
  settle(now);
}

void Node::shut_down() {
  const Instant now = services_.loop.now();
  stack_->shut_down(now);
  settle(now);
  migrator_->close(now);
  timer_->stop();
}

PeerLoad Node::load() {
  return {stack_->counts().total, load_meter_.busy_permille(services_.loop.now()),
          migrator_->draining()};
}

void Node::set_draining(bool draining) {
  migrator_->set_draining(draining);
  health_->set_own_load(load());
}

// ---- AdminService ----

std::string Node::name_of(NodeId id) const {
  if (id == options_.self.id) return options_.self.name;
  for (const NodeInfo& peer : peers_) {
    if (peer.id == id) return peer.name;
  }
  return "";
}

Result<NodeId> Node::node_called(const std::string& name) const {
  if (name == options_.self.name) return options_.self.id;
  for (const NodeInfo& peer : peers_) {
    if (peer.name == name) return peer.id;
  }
  return fail(ErrorCode::kNotFound, "no node is called '" + name + "'");
}

StatusReport Node::status() {
  const ConnectionCounts counts = stack_->counts();
  StatusReport report;
  report.node = options_.self.name;
  report.id = options_.self.id;
  report.boot = boot_;
  report.roles = options_.self.roles;
  report.draining = migrator_->draining();
  report.uptime = services_.loop.now() - started_;
  report.link = services_.link.description();
  report.connections = counts.total;
  report.half_open = counts.half_open;
  report.time_wait_records = counts.resting;
  report.frozen = counts.frozen;
  report.memory = counts.memory;
  report.mappings = static_cast<std::uint32_t>(forwarder_->mappings().size());
  report.drops = drops_.total() + stack_->drops().total() + services_.link.frames_dropped();
  report.migrations = migrations_;
  const DurationHistogram& freeze = metrics_.histogram(kFreezeHistogram);
  report.migrations.freeze_median = freeze.quantile(0.5);
  report.migrations.freeze_p99 = freeze.quantile(0.99);
  for (const NodeInfo& peer : peers_) {
    PeerStatus status;
    status.name = peer.name;
    status.id = peer.id;
    status.roles = peer.roles;
    status.up = migrator_->channel().session_up(peer.id);
    status.round_trip = status.up ? migrator_->channel().round_trip(peer.id) : Duration::zero();
    status.load = health_->load(peer.id);
    report.peers.push_back(std::move(status));
  }
  for (const ServiceOptions& service : options_.services) {
    report.services.push_back({service.name, service.vips});
  }
  return report;
}

std::vector<ConnectionRow> Node::connections() {
  std::vector<ConnectionRow> rows;
  stack_->for_each([&](Connection& c) {
    ConnectionRow row;
    row.id = c.id();
    row.epoch = c.epoch();
    row.tuple = c.tuple();
    row.service = c.service();
    row.application = c.application();
    row.state = c.frozen() ? "FROZEN" : std::string(to_string(c.state()));
    row.owner_node = options_.self.name;
    row.bytes_in = c.bytes_in();
    row.bytes_out = c.bytes_out();
    row.age = c.age();
    row.readable = c.readable();
    row.unsent = c.unsent();
    row.unacknowledged = c.unacknowledged();
    row.blockers = migrator_->blockers(c).to_string();
    row.rtt = c.smoothed_rtt();
    rows.push_back(std::move(row));
  });
  // Connections that live elsewhere and whose packets pass here: what a forwarder knows of them.
  forwarder_->mappings().for_each([&](const FourTuple& tuple, const Mapping& mapping) {
    if (mapping.owner == options_.self.id) return;
    ConnectionRow row;
    row.id = mapping.tenure().connection;
    row.epoch = mapping.tenure().epoch;
    row.tuple = tuple;
    row.state = "MAPPED";
    row.owner_node = name_of(mapping.owner);
    rows.push_back(std::move(row));
  });
  return rows;
}

void Node::migrate(std::string id_or_prefix, std::string node_name, MoveTerms terms,
                   std::function<void(MigrateReport)> done) {
  const Result<NodeId> target =
      node_name.empty() ? Result<NodeId>(NodeId{}) : node_called(node_name);
  if (!target) {
    done(report_of(tl::unexpected(target.error())));
    return;
  }
  const Instant now = services_.loop.now();
  migrator_->desk().migrate(
      id_or_prefix, *target, terms,
      [this, done = std::move(done)](Result<MigrationFinished> result) { done(report_of(result)); },
      now);
  settle(now);
}

Result<void> Node::start_drain(const DrainWish& wish) {
  DrainTerms terms{{}, wish.per_second, wish.timeout};
  for (const std::string& name : wish.targets) {
    const Result<NodeId> target = node_called(name);
    if (!target) return tl::unexpected(target.error());
    if (*target == options_.self.id) {
      return fail(ErrorCode::kInvalidArgument, "'" + name + "' is the node that shall be drained");
    }
    terms.targets.push_back(*target);
  }
  const Instant now = services_.loop.now();
  set_draining(true);
  drain_->start(std::move(terms), now);
  settle(now);
  return {};
}

void Node::stop_drain() {
  drain_->stop(services_.loop.now());
  set_draining(false);
}

MigrateReport Node::report_of(const Result<MigrationFinished>& result) const {
  MigrateReport report;
  if (!result) {
    report.error = result.error().code;
    report.reason = result.error().text;
    return report;
  }
  const MigrationFinished& finished = *result;
  if (finished.outcome != MigrationOutcome::kCompleted) {
    report.error = finished.reason == "timed_out" ? ErrorCode::kDeadline : ErrorCode::kRefused;
    report.reason = finished.reason;
  }
  report.connection = finished.tenure.connection;
  report.epoch = finished.tenure.epoch;
  report.from = name_of(finished.source);
  report.to = name_of(finished.target);
  report.blob_bytes = finished.blob_bytes;
  const auto at = [&](Stage stage) { return finished.stage_at[static_cast<std::size_t>(stage)]; };
  if (at(Stage::kFrozen) && at(Stage::kActivated)) {
    report.freeze = *at(Stage::kActivated) - *at(Stage::kFrozen);
  }
  for (std::size_t i = 0; i < kStageCount; ++i) {
    if (finished.stage_at[i]) {
      report.stages.push_back(
          {std::string(to_string(static_cast<Stage>(i))), *finished.stage_at[i]});
    }
  }
  return report;
}

void Node::trace(std::string id_or_prefix, std::function<void(TraceReport)> done) {
  const Instant now = services_.loop.now();
  migrator_->desk().trace(
      id_or_prefix, kTraceTimeout,
      [this, done = std::move(done)](const Result<ConnectionTrace>& result) {
        done(trace_report_of(result));
      },
      now);
  settle(now);
}

TraceReport Node::trace_report_of(const Result<ConnectionTrace>& result) const {
  TraceReport report;
  if (!result) {
    report.error = result.error().code;
    report.reason = result.error().text;
    return report;
  }
  report.connection = result->tenure.connection;
  report.epoch = result->tenure.epoch;
  report.tuple = result->tuple;
  report.owner = name_of(result->owner);
  report.older_moves = result->history.older;
  for (const PastMove& move : result->history.moves) {
    TracedMove row;
    row.from = name_of(move.from);
    row.to = name_of(move.to);
    row.forwarder = name_of(move.forwarder);
    row.epoch = move.epoch;
    row.asked_by = move.asked_by;
    row.mode = move.mode;
    row.at_once = move.at_once;
    row.blob_bytes = move.blob_bytes;
    row.prepared = move.prepared;
    row.at_source = move.at_source;
    row.crossing = move.crossing;
    row.at_target = move.at_target;
    row.frozen = move.frozen();
    row.first_out = move.first_out;
    row.first_in = move.first_in;
    row.ago = move.age;
    report.moves.push_back(std::move(row));
  }
  return report;
}

void Node::subscribe_events(std::function<void(const Message&, Instant)> on_event) {
  event_observers_.push_back(std::move(on_event));
}

std::string Node::metrics_text() {
  std::string text;
  const auto line = [&](const std::string& name, std::uint64_t value) {
    text += name + " " + std::to_string(value) + "\n";
  };
  metrics_.for_each_counter(line);
  metrics_.for_each_histogram([&](const std::string& name, const DurationHistogram& histogram) {
    text += prometheus_text(name, histogram);
  });
  line("migd_strangers_pauses_total", services_.link.strangers_pauses());
  for (std::size_t i = 0; i < kDropReasonCount; ++i) {
    const auto reason = static_cast<DropReason>(i);
    line("migd_dropped_total{reason=\"" + std::string(to_string(reason)) + "\"}",
         drops_.of(reason) + stack_->drops().of(reason));
  }
  return text;
}

}  // namespace migd
