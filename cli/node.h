// Node: the composition root. It makes the engines of one node, joins them, and drives them: frames
// and time come in, frames go out. The daemon gives it a real device and clock, the simulator
// virtual ones; nothing else differs.
//
//   device --> on_frame --+-- our tunnel address --> driver: channel | de-encapsulate --+
//                         +-- a VIP --> forwarder --- mapped elsewhere: encapsulate --> device
//                         |                      `-- local ---> driver: gate of the flow |
//                         `-- else: drop, counted                          |            |
//                                                                        stack <--------'
//   device <------------------------------------------- frames ------------'
//
// After each batch (frames, a deadline, an admin request) settle() runs until nothing is left:
// the bus delivers, the stack delivers its events and sends, the channel sends.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/files/file_store.h"
#include "app/registry.h"
#include "base/bus.h"
#include "base/event_loop.h"
#include "base/log.h"
#include "base/stream_socket.h"
#include "cli/admin_service.h"
#include "cli/load_meter.h"
#include "cli/node_options.h"
#include "cli/node_streams.h"
#include "forwarder/classifier.h"
#include "forwarder/forwarder.h"
#include "migrator/drain.h"
#include "migrator/migrator.h"
#include "stack/stack.h"

namespace migd {

// What a Node needs from outside; all outlive it.
struct NodeServices {
  Link& link;
  EventLoop& loop;
  Rng& rng;
  Log& log;
  FileStore& files;
  StreamNetwork& streams;
  std::shared_ptr<FramePool> pool;
  std::function<std::int64_t()> unix_time;  // seconds since 1970, for HTTP's Date; may be empty
  std::function<Duration()> processor_time = {};  // of this process so far; may be empty
  ChannelFactory make_channel = Channel::create;
};

class Node : public FrameSink, public AdminService, private LoadSource {
 public:
  // Becomes the link's receiver. The error says which part could not be made.
  static Result<std::unique_ptr<Node>> create(const NodeOptions& options, NodeServices services);
  ~Node() override;

  // FrameSink: from the device.
  void on_frame(Frame frame, Instant now) override;
  void on_batch_end(Instant now) override;
  bool looks_ahead() const override { return forwarder_->looks_ahead(); }
  void look_ahead(std::span<const Frame> frames) override { forwarder_->look_ahead(frames); }

  // AdminService
  StatusReport status() override;
  std::vector<ConnectionRow> connections() override;
  void migrate(std::string id_or_prefix, std::string node_name, MoveTerms terms,
               std::function<void(MigrateReport)> done) override;
  Result<void> start_drain(const DrainWish& wish) override;
  void stop_drain() override;
  DrainReport drain_report() override { return drain_->report(); }
  void trace(std::string id_or_prefix, std::function<void(TraceReport)> done) override;
  void subscribe_events(std::function<void(const Message&, Instant)> on_event) override;
  std::string metrics_text() override;

  // Draining: the others choose it for nothing new. Its own connections go on.
  void set_draining(bool draining);

  // Ends the node: its own connections are reset, those that moved away, or are just moving, never.
  void shut_down();

  Stack& stack() { return *stack_; }
  MessageBus& bus() { return bus_; }
  Metrics& metrics() { return metrics_; }
  Migrator& migrator() { return *migrator_; }
  Forwarder& forwarder() { return *forwarder_; }
  const DropCounters& drops() const { return drops_; }
  const NodeOptions& options() const { return options_; }
  const MigrationCounts& migrations() const { return migrations_; }

 private:
  // What the engines send goes to the device at once.
  struct Output : FrameSink {
    explicit Output(Link& to) : link(to) {}
    void on_frame(Frame frame, Instant /*now*/) override {
      if (!muted) link.send(std::move(frame));
    }
    Link& link;
    bool muted = false;  // the node has ended
  };

  Node(const NodeOptions& options, NodeServices services);
  Result<void> build();
  Result<void> listen();
  void know_own_addresses(KnownFlows& known) const;
  void subscribe();
  void count(const Message& message);
  void log(const Message& message);
  void end_silence(Instant now);
  void settle(Instant now);
  void take_back_syns(Instant now);
  void return_syns();
  void arm_timer();
  void on_timer();
  PeerLoad load() override;
  std::string name_of(NodeId id) const;
  Result<NodeId> node_called(const std::string& name) const;
  TraceReport trace_report_of(const Result<ConnectionTrace>& result) const;
  MigrateReport report_of(const Result<MigrationFinished>& result) const;

  NodeOptions options_;
  NodeServices services_;
  Boot boot_;
  Instant started_;
  MessageBus bus_;
  Metrics metrics_;
  DropCounters drops_;
  MigrationCounts migrations_;
  std::vector<NodeInfo> peers_;
  LoadMeter load_meter_;
  Output output_;

  std::unique_ptr<Stack> stack_;
  std::unique_ptr<Tunnel> tunnel_;
  std::unique_ptr<FlowIdLessor> lessor_;
  std::unique_ptr<Forwarder> forwarder_;
  std::unique_ptr<NodeHealth> health_;
  std::vector<std::unique_ptr<Classifier>> classifiers_;
  std::unique_ptr<NodeStreams> streams_;
  std::unique_ptr<ApplicationRegistry> applications_;
  std::unique_ptr<Migrator> migrator_;
  std::unique_ptr<Drain> drain_;
  std::unique_ptr<Timer> timer_;
  std::vector<std::function<void(const Message&, Instant)>> event_observers_;
};

}  // namespace migd
