// The three plainest applications: echo, discard and source (RFC 862, RFC 863, and RFC 864 with
// another pattern). Their sessions never block a migration.
#pragma once

#include <memory>
#include <string>

#include "app/application.h"

namespace migd {

// Sends back what it receives; after the client's FIN and the last byte sent back, closes.
std::unique_ptr<Application> make_echo(std::string name, Metrics& metrics);

// Reads and forgets; closes after the client's FIN.
std::unique_ptr<Application> make_discard(std::string name, Metrics& metrics);

// Sends the 251-byte ramp 0, 1, ... 250, 0, ... until the client closes; what it receives is
// forgotten. 251 is prime, so no byte that is lost, repeated or moved by a round number goes
// unnoticed.
std::unique_ptr<Application> make_source(std::string name, Metrics& metrics);

inline constexpr unsigned kRampPeriod = 251;

}  // namespace migd
