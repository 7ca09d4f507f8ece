// SimCluster: the shipped nodes, clients, the net between them, and the judge of it all. One node
// is forwarder and classifier (f1), unless the classifier is a node of its own (k1); the others are
// hosts (h1, h2, ...).
//
//   services of the VIP     port   goes to
//   http                    80     /files/...: h1, /b/...: h2, /upload: the pool, by request
//   echo, discard, source   7 9 19 the pool, in turn, as soon as the connection is established
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/check/checker.h"
#include "tests/sim/check/clean_path.h"
#include "tests/sim/client.h"
#include "tests/sim/machine.h"
#include "tests/sim/trace.h"

namespace migd::sim {

struct ClusterOptions {
  std::uint64_t seed = 1;
  Family family = Family::kIpv4;
  int hosts = 2;
  bool forwarder_is_host = false;
  bool hosts_classify = false;
  bool classifier_apart = false;                         // k1 classifies, f1 only forwards
  ServiceOptions::On on = ServiceOptions::On::kRequest;  // of echo, discard and source
  Pool::Policy policy = Pool::Policy::kRoundRobin;
  SimLinkOptions link;
  PathOptions client_path{.delay = 2ms};    // between clients and nodes, each direction
  PathOptions fabric_path{.delay = 100us};  // between nodes
  bool timestamps = true, sack = true;      // of the nodes
  std::uint16_t syn_backlog = 1024;
  std::uint64_t memory_bytes = 1u << 30;
  std::uint32_t window_bytes = 256u << 10;
  std::uint32_t send_buffer_bytes = 256u << 10;
  Duration migration_timeout = 2s;
  bool migration_prepare = true;
  Duration placement_timeout = 10s;
  std::int64_t clock_error_ppm = 200;  // most, either way
  std::string lacking;                 // an application that the last host does not have
};

inline constexpr std::uint16_t kEchoPort = 7, kDiscardPort = 9, kSourcePort = 19, kHttpPort = 80;
// A file of the ramp: "/files/ramp" and "/b/ramp", of that many bytes.
inline constexpr std::size_t kRampFileBytes = 600'000;

class SimCluster : public ChannelTap {
 public:
  explicit SimCluster(const ClusterOptions& options);
  ~SimCluster();

  // Starts all nodes and runs until they know each other; CHECKs that they do within 10 s.
  void start();

  // A client of the cluster's family at an address of its own. Endpoints are filled in.
  SimClient& add_client(std::uint16_t vip_port, TcpConfig config = {});
  // Another connection from the same endpoint to the same one, in place of the earlier client.
  SimClient& add_client_again(const SimClient& earlier);

  // ---- moving ----
  std::optional<ConnectionId> connection_of(const SimClient& client) const;
  SimMachine* owner_of(const ConnectionId& connection);  // null while nobody is, or it is frozen
  SimMachine& machine(const std::string& name);
  SimMachine& machine(NodeId id) { return *machines_[id.value - 1u]; }
  const std::vector<std::unique_ptr<SimMachine>>& machines() const { return machines_; }
  std::vector<SimMachine*> hosts();
  // Asks the owner to move it to `target`; false when it has no owner now or is there already.
  bool migrate(const SimClient& client, SimMachine& target,
               std::function<void(const MigrateReport&)> done = {});
  bool migrate_to_next(const SimClient& client);  // of the hosts, around

  // ---- faults ----
  void crash(SimMachine& machine);
  void partition(SimMachine& a, SimMachine& b, bool blocked);
  // The datagrams of the blob channel that `from` sends to `to` in this very instant are lost.
  void lose_datagrams(SimMachine& from, SimMachine& to);
  // When every client is served. Who was away, or waits for a source that died, needs a while.
  void expect_nothing_held();
  void set_client_path(const PathOptions& options);
  void set_fabric_path(const PathOptions& options);
  // Called with every bus message of every node, after the judge has seen it.
  void on_message(std::function<void(SimMachine&, const Message&)> observer) {
    observers_.push_back(std::move(observer));
  }
  void forget_observers() { observers_.clear(); }

  // Decides about every message that a node gives to its channel (channel_tap.h).
  using OnSend = std::function<std::vector<Duration>(SimMachine&, ChannelMessage&)>;
  void decide_sending(OnSend decide) { on_send_ = std::move(decide); }
  SimLoop& world() { return world_; }
  SimNet& net() { return net_; }
  Judge& judge() { return judge_; }
  CleanPath& clean_path() { return *clean_path_; }
  MemoryFileStore& files() { return files_; }
  Endpoint vip(std::uint16_t port) const;
  const std::vector<std::unique_ptr<SimClient>>& clients() const { return clients_; }

  struct Counts {
    int completed = 0, refused = 0, aborted = 0, placed = 0;
    std::map<std::string, int> reasons;
  };
  const Counts& migrations() const { return counts_; }

 private:
  NodeOptions node_options(int index) const;
  std::vector<ServiceOptions> services() const;
  void deliver(SimMachine& machine, const Message& message);
  std::vector<Duration> on_send(ChannelMessage& message) override;
  void on_delivered(NodeId at, NodeId origin, wire::Kind kind, ByteView head) override;
  int nodes() const { return 1 + options_.hosts + (options_.classifier_apart ? 1 : 0); }

  ClusterOptions options_;
  SimLoop world_;
  SimNet net_;
  Judge judge_;
  Trace trace_;
  CleanPath* clean_path_;
  MemoryFileStore files_;
  SimRng rng_;
  std::vector<SecretKey> keys_;
  std::vector<std::unique_ptr<SimMachine>> machines_;
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::map<Endpoint, ConnectionId> connections_;  // by the client's end
  std::vector<std::function<void(SimMachine&, const Message&)>> observers_;
  OnSend on_send_;
  Counts counts_;
};

}  // namespace migd::sim
