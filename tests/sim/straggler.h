// Packets as nodes pass them on, made by hand.
#pragma once

#include "tests/sim/machine.h"

namespace migd::sim {

// Format B around `inner`, forwarded, from one tunnel address to another: IPv4 only.
Bytes straggler(const SimMachine& from, const SimMachine& to, ByteView inner);

// Of a mapped flow (forwarder/order_mark.h).
bool is_order_mark(ByteView packet);

}  // namespace migd::sim
