#include "cli/open_link.h"

#include <utility>

#include "cli/seeded_rng.h"
#include "stack/links/fault_link.h"
#include "stack/links/packet_link.h"
#include "stack/links/pcap_link.h"
#include "stack/links/tun_link.h"

namespace migd {
namespace {

template <typename Device>
Result<std::unique_ptr<Link>> watched(Result<std::unique_ptr<Device>> device,
                                      std::function<void(Error)> on_failure) {
  if (!device) return tl::unexpected(device.error());
  (*device)->set_failure_handler(std::move(on_failure));
  return std::unique_ptr<Link>(std::move(*device));
}

Result<std::unique_ptr<Link>> open_device(const LinkConfig& config, EventLoop& loop,
                                          std::shared_ptr<FramePool> pool,
                                          std::function<void(Error)> on_failure) {
  switch (config.kind) {
    case LinkConfig::Kind::kTun:
      return watched(TunLink::open(loop, std::move(pool), {config.name, config.mtu}),
                     std::move(on_failure));
    case LinkConfig::Kind::kPacket:
      return watched(
          PacketLink::open(loop, std::move(pool), {config.name, config.device, config.mtu}),
          std::move(on_failure));
  }
  return fail(ErrorCode::kInvalidArgument, "unknown kind of link");
}

}  // namespace

// The capture sees what the node sees: faults are between it and the device.
Result<OpenedLink> open_link(const LinkConfig& config, EventLoop& loop,
                             std::shared_ptr<FramePool> pool,
                             std::function<void(Error)> on_failure) {
  Result<std::unique_ptr<Link>> device = open_device(config, loop, pool, std::move(on_failure));
  if (!device) return tl::unexpected(device.error());
  OpenedLink opened;
  opened.link = std::move(*device);
  if (config.fault) {
    opened.outgoing_rng = std::make_unique<SeededRng>(config.fault->seed, 0);
    opened.incoming_rng = std::make_unique<SeededRng>(config.fault->seed, 1);
    opened.link = std::make_unique<FaultLink>(std::move(opened.link), loop, std::move(pool),
                                              config.fault->options, *opened.outgoing_rng,
                                              config.fault->options, *opened.incoming_rng);
  }
  if (!config.pcap_path.empty()) {
    Result<std::unique_ptr<PcapWriter>> writer = PcapWriter::create(config.pcap_path);
    if (!writer) return tl::unexpected(writer.error());
    opened.link = std::make_unique<PcapLink>(std::move(opened.link), std::move(*writer), loop,
                                             unix_time_offset(loop.now()));
  }
  return opened;
}

}  // namespace migd
