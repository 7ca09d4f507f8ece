// Many idle connections.
#pragma once

#include <cstdint>
#include <string>

namespace migd::bench {

// Opens `count` connections to an echo server and says so with a line; they stay idle until
// standard input ends; then each has to echo a byte. One line of JSON says how many did.
int hold_idle(const std::string& server, std::uint32_t count);

}  // namespace migd::bench
