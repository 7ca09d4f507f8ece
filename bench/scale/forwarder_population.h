// Flows of one forwarder, mapped to a host, with a device that takes what it sends.
#pragma once

#include <memory>

#include "bench/scale/measurement.h"

namespace migd::bench {

std::unique_ptr<Population> make_forwarder_population(std::uint32_t flows);

}  // namespace migd::bench
