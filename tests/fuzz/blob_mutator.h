// Changes a blob by its decoded fields: random bytes would die at the first length, and random
// values at the first relation between two fields.
#pragma once

#include "migrator/blob.h"
#include "tests/support/sim_rng.h"

namespace migd::fuzz {

// One to a few fields; now and then the relations between them are mended afterwards.
void mutate_blob(ConnectionBlob& blob, sim::SimRng& rng);

}  // namespace migd::fuzz
