#include "migrator/channel/channel.h"

#include "migrator/blob.h"
#include "migrator/channel/engine.h"

namespace migd {

std::unique_ptr<Channel> Channel::create(const ChannelOptions& options, DatagramSender& sender,
                                         ChannelHandler& handler, Rng& rng, Metrics& metrics,
                                         Instant now) {
  channel::Tuning tuning;
  tuning.capabilities.blob = {kBlobOldestReadable, kBlobVersion};
  return std::make_unique<channel::ChannelEngine>(options, tuning, sender, handler, rng, metrics,
                                                  now);
}

}  // namespace migd
