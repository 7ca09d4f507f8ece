// Established connections of one stack, opened by crafted segments, with an echo behind each.
#pragma once

#include <memory>

#include "bench/scale/measurement.h"

namespace migd::bench {

std::unique_ptr<Population> make_stack_population(std::uint32_t connections);

}  // namespace migd::bench
