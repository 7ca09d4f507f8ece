// The device that a configuration names, with the middleware that it asks for.
#pragma once

#include <functional>
#include <memory>

#include "base/event_loop.h"
#include "base/result.h"
#include "cli/config.h"
#include "stack/link.h"

namespace migd {

struct OpenedLink {
  std::unique_ptr<Rng> outgoing_rng, incoming_rng;  // of the fault injector
  std::unique_ptr<Link> link;                       // what the node gets
};

// `on_failure` is told once when the device has gone for good.
Result<OpenedLink> open_link(const LinkConfig& config, EventLoop& loop,
                             std::shared_ptr<FramePool> pool,
                             std::function<void(Error)> on_failure);

}  // namespace migd
