// Readiness: whether a connection can move now, as a value: the set of all that stands in the way
// (Blocker in stack/connection.h). Shown by `migd conns`, counted when a move is refused for it.
#pragma once

#include "migrator/environment.h"

namespace migd {

// What stands in the way of `wish`. A wish without a target asks whether anybody is there at all
// who could take the connection. What only the target knows is not in it: that one says so itself.
Blockers readiness(const MigratorEnvironment& env, const Connection& connection,
                   const MigrationRequest& wish);

}  // namespace migd
