#include "tests/sim/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "cli/keys.h"
#include "tests/sim/check/memory.h"
#include "tests/sim/check/stragglers.h"
#include "tests/sim/check/survival.h"

namespace migd::sim {
namespace {

constexpr std::uint16_t kServices[] = {kEchoPort, kDiscardPort, kSourcePort, kHttpPort};

IpAddress address(Family family, int net, int host) {
  return family == Family::kIpv4 ? *IpAddress::parse(fmt::format("10.77.{}.{}", net, host))
                                 : *IpAddress::parse(fmt::format("fd77:0:0:{:x}::{:x}", net, host));
}

ApplicationOptions application(std::string name, ApplicationKind kind) {
  ApplicationOptions options;
  options.name = std::move(name);
  options.kind = kind;
  if (kind == ApplicationKind::kFiles) options.root = "/srv";
  return options;
}

// Loss-free start: nodes greet each other before the paths turn bad.
PathOptions clean(const PathOptions& path) {
  return {.delay = path.delay};
}

}  // namespace

SimCluster::SimCluster(const ClusterOptions& options)
    : options_(options),
      net_(world_, options.seed),
      judge_(net_),
      trace_(net_),
      rng_(SimRng::split(options.seed, 1)) {
  add_invariant_checkers(judge_);
  clean_path_ = &judge_.add<CleanPath>();
  judge_.get<Memory>().watch([this](PortId port) {  // machines have the first ports, in order
    return port < machines_.size() ? machines_[port]->pool().lent() : std::size_t{0};
  });
  if (trace_.wanted()) net_.observe(&trace_);
  net_.observe(&judge_);
  for (const std::uint16_t port : kServices)
    judge_.add_vip(vip(port));
  for (const char* folder : {"/srv/files", "/srv/b"}) {
    files_.add(std::string(folder) + "/ramp", ramp(0, kRampFileBytes));
    files_.add(std::string(folder) + "/small", ramp(7, 1000));
    files_.add(std::string(folder) + "/empty", {});
  }
  for (int i = 0; i < nodes(); ++i)
    keys_.push_back(make_secret_key(rng_));
  for (int i = 0; i < nodes(); ++i) {
    const auto ppm = static_cast<std::uint64_t>(options.clock_error_ppm);
    const SimClock clock{
        Duration(rng_.below(std::uint64_t{1} << 52)),
        static_cast<std::int64_t>(rng_.below(2 * ppm + 1)) - static_cast<std::int64_t>(ppm)};
    const NodeOptions node = node_options(i);
    machines_.push_back(
        std::make_unique<SimMachine>(world_, net_, node, options.link, clock, options.seed, files_,
                                     *this, [this, i](const Message& message) {
                                       deliver(*machines_[static_cast<std::size_t>(i)], message);
                                     }));
    judge_.get<Survival>().add_node(node.self.id, machines_.back()->port());
    if (node.self.roles.forwarder) {
      judge_.get<Stragglers>().add_forwarder(machines_.back()->port());
    }
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      net_.add_route(*node.self.tunnel(family), machines_.back()->port());
    }
  }
  net_.add_route(vip(kHttpPort).address, machines_.front()->port());
}

SimCluster::~SimCluster() {
  for (const auto& machine : machines_) {
    if (machine->running()) machine->crash();
  }
}

Endpoint SimCluster::vip(std::uint16_t port) const {
  return {address(options_.family, 0, 80), port};
}

std::vector<ServiceOptions> SimCluster::services() const {
  Pool pool{"all", {}, options_.policy};
  for (int i = 1; i <= options_.hosts; ++i) {
    pool.nodes.push_back(NodeId{static_cast<std::uint16_t>(i + 1)});
  }
  if (options_.hosts == 0) pool.nodes.push_back(NodeId{1});
  const auto service = [&](std::string name, std::uint16_t port) {
    ServiceOptions made;
    made.name = name;
    made.vips = {vip(port)};
    made.on = options_.on;
    made.protocol = ServiceOptions::Protocol::kNone;
    made.placement_timeout = options_.placement_timeout;
    made.default_target = PoolTarget{"all"};
    made.default_application = std::move(name);
    made.pools = {pool};
    return made;
  };
  ServiceOptions http = service("http", kHttpPort);
  http.on = ServiceOptions::On::kRequest;
  http.protocol = ServiceOptions::Protocol::kHttp;
  http.classify_timeout = 60s;  // bad paths may delay a request, but not change who serves it
  http.default_application = "files";
  const auto rule = [](std::string prefix, RuleTarget target, std::string app) {
    ServiceRule made;
    made.name = prefix;
    made.match.path_prefix = std::move(prefix);
    made.target = std::move(target);
    made.application = std::move(app);
    return made;
  };
  http.rules = {
      rule("/files/", NodeTarget{NodeId{2}}, "files"),
      rule("/b/", NodeTarget{NodeId{static_cast<std::uint16_t>(options_.hosts + 1)}}, "files"),
      rule("/upload", PoolTarget{"all"}, "upload")};
  return {service("echo", kEchoPort), service("discard", kDiscardPort),
          service("source", kSourcePort), http};
}

NodeOptions SimCluster::node_options(int index) const {
  const auto info = [&](int i) {
    NodeInfo node;
    node.id = NodeId{static_cast<std::uint16_t>(i + 1)};
    node.name = i == 0 ? "f1" : i > options_.hosts ? "k1" : fmt::format("h{}", i);
    const bool front = i == 0, behind = i > options_.hosts;
    node.roles = {.forwarder = front,
                  .classifier = (options_.classifier_apart ? behind : front) ||
                                (!front && !behind && options_.hosts_classify),
                  .host = (!front && !behind) || (front && options_.forwarder_is_host)};
    node.tunnel_v4 = address(Family::kIpv4, 1, i + 1);
    node.tunnel_v6 = address(Family::kIpv6, 1, i + 1);
    return node;
  };
  NodeOptions node;
  node.self = info(index);
  node.secret_keys = {keys_[static_cast<std::size_t>(index)]};
  node.syn_backlog = options_.syn_backlog;
  node.memory_bytes = options_.memory_bytes;
  node.window_bytes = options_.window_bytes;
  node.send_buffer_bytes = options_.send_buffer_bytes;
  node.timestamps = options_.timestamps;
  node.sack = options_.sack;
  node.migration_timeout = options_.migration_timeout;
  node.migration_prepare = options_.migration_prepare;
  for (int i = 0; i < nodes(); ++i) {
    if (i == index) continue;
    node.peers.push_back({info(i), {public_key_of(keys_[static_cast<std::size_t>(i)])}});
  }
  node.services = services();
  node.applications = {application("echo", ApplicationKind::kEcho),
                       application("discard", ApplicationKind::kDiscard),
                       application("source", ApplicationKind::kSource),
                       application("files", ApplicationKind::kFiles),
                       application("upload", ApplicationKind::kUpload)};
  if (index == options_.hosts) {
    std::erase_if(node.applications,
                  [this](const ApplicationOptions& a) { return a.name == options_.lacking; });
  }
  return node;
}

void SimCluster::start() {
  set_fabric_path(clean(options_.fabric_path));
  for (const auto& machine : machines_)
    machine->start();
  const auto acquainted = [this] {
    return std::all_of(machines_.begin(), machines_.end(), [](const auto& machine) {
      const auto peers = machine->node().status().peers;
      return std::all_of(peers.begin(), peers.end(), [](const PeerStatus& p) { return p.up; });
    });
  };
  MIGD_CHECK(world_.run_until(acquainted, world_.now() + 10s));
  world_.run_for(1s);
  set_fabric_path(options_.fabric_path);
}

SimClient& SimCluster::add_client(std::uint16_t vip_port, TcpConfig config) {
  const int number = static_cast<int>(clients_.size()) + 1;
  config.local = {address(options_.family, 9, number), static_cast<std::uint16_t>(40000 + number)};
  config.remote = vip(vip_port);
  config.initial_sequence = static_cast<std::uint32_t>(rng_.next());
  config.timestamp_origin = static_cast<std::uint32_t>(rng_.next());
  const SimClock clock{Duration(rng_.below(1u << 30)), 0};
  clients_.push_back(
      std::make_unique<SimClient>(net_, world_, fmt::format("c{}", number), config, clock));
  set_client_path(options_.client_path);
  return *clients_.back();
}

SimClient& SimCluster::add_client_again(const SimClient& earlier) {
  TcpConfig config = earlier.tcp().config();
  config.initial_sequence += 1u << 24;  // RFC 6528: later ones are higher
  net_.remove_route(config.local.address, earlier.port());
  clients_.push_back(std::make_unique<SimClient>(
      net_, world_, fmt::format("c{}", clients_.size() + 1), config, SimClock{}));
  set_client_path(options_.client_path);
  return *clients_.back();
}

// ---- what the nodes say ----

void SimCluster::deliver(SimMachine& machine, const Message& message) {
  trace_.on_message(machine.port(), world_.now(), message);
  judge_.on_message(machine.port(), world_.now(), message);
  if (const auto* opened = std::get_if<ConnectionOpened>(&message)) {
    connections_[opened->tuple.peer] = opened->connection;
  } else if (const auto* finished = std::get_if<MigrationFinished>(&message)) {
    switch (finished->outcome) {
      case MigrationOutcome::kCompleted:
        ++counts_.completed;
        break;
      case MigrationOutcome::kRefused:
        ++counts_.refused;
        ++counts_.reasons[finished->reason];
        break;
      case MigrationOutcome::kAborted:
        ++counts_.aborted;
        ++counts_.reasons[finished->reason];
        break;
    }
  }
  for (const auto& observer : observers_)
    observer(machine, message);
}

std::vector<Duration> SimCluster::on_send(ChannelMessage& message) {
  trace_.note(world_.now(), fmt::format("{} says {} to {}", machine(message.from).name(),
                                        to_string(message.kind), machine(message.to).name()));
  return on_send_ ? on_send_(machine(message.from), message) : std::vector{Duration::zero()};
}

void SimCluster::on_delivered(NodeId at, NodeId /*origin*/, wire::Kind kind, ByteView head) {
  judge_.on_arrival(machine(at).port(), world_.now(), kind, head);
}

// ---- moving ----

std::optional<ConnectionId> SimCluster::connection_of(const SimClient& client) const {
  const auto found = connections_.find(client.tcp().config().local);
  if (found == connections_.end()) return std::nullopt;
  return found->second;
}

SimMachine* SimCluster::owner_of(const ConnectionId& connection) {
  for (const auto& machine : machines_) {
    if (!machine->running()) continue;
    const Connection* found = machine->node().stack().find(connection);
    if (found != nullptr && !found->frozen()) return machine.get();
  }
  return nullptr;
}

SimMachine& SimCluster::machine(const std::string& name) {
  const auto found = std::find_if(machines_.begin(), machines_.end(),
                                  [&](const auto& machine) { return machine->name() == name; });
  MIGD_CHECK(found != machines_.end());
  return **found;
}

std::vector<SimMachine*> SimCluster::hosts() {
  std::vector<SimMachine*> all;
  for (const auto& machine : machines_) {
    if (machine->options().self.roles.host) all.push_back(machine.get());
  }
  return all;
}

bool SimCluster::migrate(const SimClient& client, SimMachine& target,
                         std::function<void(const MigrateReport&)> done) {
  const auto connection = connection_of(client);
  SimMachine* owner = connection ? owner_of(*connection) : nullptr;
  if (owner == nullptr || owner == &target || owner->paused()) return false;
  owner->node().migrate(connection->to_string(), target.name(), {options_.migration_timeout},
                        [done = std::move(done)](const MigrateReport& report) {
                          if (done) done(report);
                        });
  return true;
}

bool SimCluster::migrate_to_next(const SimClient& client) {
  const auto connection = connection_of(client);
  SimMachine* owner = connection ? owner_of(*connection) : nullptr;
  if (owner == nullptr) return false;
  const auto all = hosts();
  const auto at = std::find(all.begin(), all.end(), owner);
  if (at == all.end()) return false;  // still being placed
  return migrate(client, **(at + 1 == all.end() ? all.begin() : at + 1));
}

// ---- faults ----

void SimCluster::crash(SimMachine& machine) {
  machine.crash();
  judge_.on_crash(machine.port(), world_.now());
}

void SimCluster::partition(SimMachine& a, SimMachine& b, bool blocked) {
  net_.partition(a.port(), b.port(), blocked);
}

void SimCluster::lose_datagrams(SimMachine& from, SimMachine& to) {
  const std::uint16_t port = from.options().channel_port;
  const auto addressed = [this, port, &to, at = world_.now()](ByteView packet) {
    const auto ip = addresses_of(packet);
    if (!ip || ip->protocol != 17 || world_.now() != at) return false;
    const ByteView udp = packet.subspan(ip->header_size);
    return ip->dst == *to.options().self.tunnel(ip->dst.family()) && udp[2] == port >> 8 &&
           udp[3] == (port & 0xff);
  };
  net_.set_filter(from.port(), [addressed](Bytes packet) {
    std::vector<Bytes> out;
    if (!addressed(packet)) out.push_back(std::move(packet));
    return out;
  });
}

void SimCluster::expect_nothing_held() {
  auto& memory = judge_.get<Memory>();
  world_.run_until([&memory] { return memory.held() == 0; },
                   world_.now() + limits::kTombstoneLifetime + 10s);
  memory.expect_nothing_held(world_.now());
}

void SimCluster::set_client_path(const PathOptions& options) {
  for (const auto& client : clients_) {
    for (const auto& machine : machines_) {
      net_.path(client->port(), machine->port()) = options;
      net_.path(machine->port(), client->port()) = options;
    }
  }
}

void SimCluster::set_fabric_path(const PathOptions& options) {
  for (const auto& a : machines_) {
    for (const auto& b : machines_) {
      if (a != b) net_.path(a->port(), b->port()) = options;
    }
  }
}

}  // namespace migd::sim
