// Migrator: the connection migrator of one node.
//
// Theory of operation
//   It ties the parts together: the shim above the stack, the intermediate driver below it, the two
//   halves of the migration protocol (migrator/stages.h), and the blob channel to the peers. It
//   hears wishes from the bus (MigrationRequest, ConnectionClassified), messages from the channel,
//   beginnings and ends of connections from the stack, and it answers with facts on the bus.
//
//   A forwarder's part is here as well, as far as it is the migrator's: the mapping header of a
//   STATE that passes installs the mapping before any of the state goes on, and a barrier goes down
//   the old way; flow identifiers are leased to the nodes that migrate.
//
// Engine: input by the handlers, time by on_deadline(), output through channel, bus and driver.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "migrator/environment.h"
#include "migrator/operator_desk.h"
#include "migrator/source_half.h"
#include "migrator/target_half.h"
#include "migrator/unbound.h"

namespace migd {

// What a node reports of itself in every heartbeat.
class LoadSource {
 public:
  virtual ~LoadSource() = default;
  virtual PeerLoad load() = 0;
};

class Migrator : public ChannelHandler, public MigrationService, public ConnectionObserver {
 public:
  struct Parts {
    Stack& stack;
    ApplicationHost& applications;
    Tunnel& tunnel;
    FlowIdLessor& lessor;
    MessageBus& bus;
    DropCounters& drops;
    Metrics& metrics;
    Rng& rng;
    DatagramSender& datagrams;
    LoadSource& load;
    ChannelFactory make_channel = Channel::create;
  };
  Migrator(MigratorOptions options, const ChannelOptions& channel_options, Parts parts,
           Instant now);
  ~Migrator() override;

  IntermediateDriver& driver() { return *driver_; }
  Channel& channel() { return *channel_; }
  OperatorDesk& desk() { return *desk_; }

  // What stands in the way of moving a connection now, to whomever.
  Blockers blockers(const Connection& connection) const {
    return source_->blockers(connection, MigrationRequest{});
  }
  const ConnectionRecord* record(const ConnectionId& connection) const;

  // A draining node refuses what wants to come to it; its own go on until somebody moves them.
  bool draining() const { return env_->draining; }
  void set_draining(bool draining) { env_->draining = draining; }

  Instant next_deadline() const;
  void on_deadline(Instant now);
  // The composition root calls set_time() before the bus is dispatched, whose messages carry none,
  // poll() when the stack has worked, and flush() after a batch of work.
  void set_time(Instant now) { now_ = now; }
  void poll(Instant now);
  void flush(Instant now);
  // What a silent connection waits for, its state or the first words of its new owner, does not
  // wait for the rest of a batch. Asked after each frame; then send_urgent() follows a dispatch.
  bool urgent() const { return env_->urgent; }
  void send_urgent(Instant now);
  // Tells the peers that this node ends.
  void close(Instant now) { channel_->close(now); }

  // MigrationService: an application's own wish, with its state.
  Result<void> migrate(Connection& connection, NodeId target, std::string application,
                       Bytes state) override;

  // ConnectionObserver
  void on_opened(Connection& connection) override;
  void on_gone(Connection& connection, CloseReason reason) override;

  // ChannelHandler
  void on_session_up(NodeId peer, Boot boot, Instant now) override;
  void on_session_down(NodeId peer, std::string reason, Instant now) override;
  void on_message(NodeId origin, std::uint8_t kind, ByteView head, ByteView body,
                  Instant now) override;
  void on_relay(NodeId origin, NodeId destination, std::uint8_t kind, ByteView head,
                Instant now) override;
  void on_undeliverable(NodeId via, NodeId to, std::uint8_t kind, ByteView head, std::string reason,
                        Instant now) override;
  Bytes heartbeat_payload() override;
  void on_heartbeat(NodeId peer, ByteView payload, Instant now) override;

 private:
  void subscribe(MessageBus& bus);
  void handle(NodeId origin, const wire::Message& message, ByteView body, Instant now);
  void install_mapping(const wire::State& head);
  void send_barrier(const wire::State& head);
  void on_lease_request(NodeId from, Instant now);
  void on_lease(NodeId from, const wire::Lease& lease, Instant now);
  void lease_when_low(NodeId forwarder, Instant now);
  void announce_all(NodeId forwarder, Instant now);
  void announce_elsewhere(NodeId lost, Instant now);
  void announce_waiting(NodeId forwarder, Instant now);
  bool is_forwarder_peer(NodeId node) const;
  NodeId first_choice(const FourTuple& tuple) const;  // of the forwarders, among the classifiers
  void announce(const Connection& connection, Instant now);
  void announce_unplaced(NodeId lost, Instant now);
  void unmap(const Tenure& tenure, const FourTuple& tuple);

  MigratorOptions options_;
  MessageBus& bus_;
  FlowIdLessor& lessor_;
  LoadSource& load_;
  Metrics& metrics_;
  FlowIdPool flow_ids_;
  Shim shim_;
  std::unique_ptr<Channel> channel_;
  std::unique_ptr<IntermediateDriver> driver_;
  std::unique_ptr<MigratorEnvironment> env_;
  std::unique_ptr<SourceHalf> source_;
  std::unique_ptr<TargetHalf> target_;
  std::unique_ptr<OperatorDesk> desk_;
  std::unique_ptr<UnboundConnections> unbound_;
  std::vector<NodeId> forwarders_;           // all there are, this node included
  std::vector<NodeId> classifiers_;          // the same; none when this node is not one of them
  std::map<NodeId, Instant> lease_pending_;  // asked then, not answered
  std::set<NodeId> empty_tables_;            // came up, and shall be told of our connections
  std::vector<std::pair<NodeId, wire::Barrier>> barriers_;  // to sources, with the next flush()
  Instant now_;
};

}  // namespace migd
