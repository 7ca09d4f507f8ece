// SimLink: a node's device in the simulated network. What the node sends as a train leaves as
// single segments, as a device with segmentation offload does it. What arrives within the batch
// window is handed over together, gathered into trains if wanted, as a kernel with GRO does it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stack/link.h"
#include "tests/sim/net.h"
#include "tests/support/sim_loop.h"

namespace migd::sim {

struct SimLinkOptions {
  LinkCapabilities capabilities;
  bool coalesce = false;    // gather TCP segments into trains; needs capabilities.tcp_gso
  Duration batch_window{};  // how long the first packet of a batch waits for more
};

// The segments of a TCP or UDP train, each a packet with complete checksums. A frame that is no
// train yields itself.
std::vector<Bytes> segments_of(ByteView packet, const Offload& offload);

class SimLink : public Link {
 public:
  // Sends from `port` and receives for it, through `loop`: a paused process receives late, a killed
  // one never. Everything given outlives the link.
  SimLink(SimNet& net, PortId port, SimNodeLoop& loop, std::shared_ptr<FramePool> pool,
          const SimLinkOptions& options);
  ~SimLink() override;

  const LinkCapabilities& capabilities() const override { return options_.capabilities; }
  std::string description() const override { return "sim " + net_.name(port_); }
  void send(Frame frame) override;
  void set_receiver(FrameSink* receiver) override { receiver_ = receiver; }
  std::uint64_t frames_dropped() const override { return dropped_; }

 private:
  struct Arrival {
    Bytes packet;
    std::uint16_t segment_size = 0;  // not zero: a TCP train
  };

  void on_packet(Bytes packet);
  void deliver_batch();
  static std::vector<Arrival> coalesced(std::vector<Arrival> batch);
  void deliver(const Arrival& arrival);

  SimNet& net_;
  PortId port_;
  SimNodeLoop& loop_;
  std::shared_ptr<FramePool> pool_;
  SimLinkOptions options_;
  FrameSink* receiver_ = nullptr;
  std::vector<Arrival> batch_;
  std::uint64_t dropped_ = 0;
};

}  // namespace migd::sim
