// Many idle connections, and all of a node's connections moved at once.
#pragma once

#include <cstdint>
#include <string>

namespace migd::bench {

// Opens `count` connections to an echo server and says so with a line; they stay idle until
// standard input ends; then each has to echo a byte. One line of JSON says how many did.
int hold_idle(const std::string& server, std::uint32_t count);

// Moves every connection that `node` has to `target`, `in_flight` of them at any time. One line of
// JSON with the seconds from the first request to the last answer.
int move_all(const std::string& node, const std::string& admin_socket, const std::string& target,
             std::uint32_t in_flight);

}  // namespace migd::bench
