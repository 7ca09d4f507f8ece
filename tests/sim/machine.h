// SimMachine: one machine of the simulated cluster, with the shipped Node as its process. The
// machine (its port, its keys, its files) outlives the process, which may crash, be paused, and
// start again.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/files/memory_file_store.h"
#include "base/log.h"
#include "cli/node.h"
#include "tests/sim/channel_tap.h"
#include "tests/sim/link.h"
#include "tests/sim/net.h"
#include "tests/support/sim_loop.h"
#include "tests/support/sim_rng.h"

namespace migd::sim {

// No local servers: every connection to one fails at once.
class NoStreams : public StreamNetwork {
 public:
  explicit NoStreams(EventLoop& loop) : loop_(loop) {}
  std::unique_ptr<StreamSocket> connect(const StreamAddress& to,
                                        StreamSocketHandler* handler) override;

 private:
  EventLoop& loop_;
};

class SimMachine {
 public:
  using OnMessage = std::function<void(const Message&)>;

  SimMachine(SimLoop& world, SimNet& net, const NodeOptions& options, const SimLinkOptions& link,
             SimClock clock, std::uint64_t seed, MemoryFileStore& files, ChannelTap& tap,
             OnMessage on_message);

  void start();                        // CHECKs that the Node could be made
  void crash();                        // kill -9, or the power: nothing more is sent
  void shut_down();                    // SIGTERM
  void ask(MigrationRequest request);  // as somebody on this node may
  void pause() { loop_->pause(); }
  void resume() { loop_->resume(); }

  bool running() const { return node_ != nullptr; }
  bool paused() const { return loop_->paused(); }
  Node& node() { return *node_; }
  SimChannel& channel() { return static_cast<SimChannel&>(node_->migrator().channel()); }
  FramePool& pool() { return *pool_; }
  const std::string& name() const { return options_.self.name; }
  NodeId id() const { return options_.self.id; }
  PortId port() const { return port_; }
  NodeOptions& options() { return options_; }  // for the next start
  const NodeOptions& options() const { return options_; }

 private:
  SimLoop& world_;
  SimNet& net_;
  NodeOptions options_;
  SimLinkOptions link_options_;
  SimClock clock_;
  SimRng rng_;
  MemoryFileStore& files_;
  ChannelTap& tap_;
  OnMessage on_message_;
  PortId port_;
  NullLog log_;
  std::shared_ptr<FramePool> pool_ = FramePool::create();

  std::unique_ptr<SimNodeLoop> loop_;
  std::unique_ptr<NoStreams> streams_;
  std::unique_ptr<SimLink> link_;
  std::unique_ptr<Node> node_;
};

}  // namespace migd::sim
