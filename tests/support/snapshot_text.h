// Snapshots as text, and changed: field by field, every field of them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "stack/snapshot.h"

namespace migd::test {

// Two that are equal read alike.
std::string to_text(const TcpSnapshot& snapshot);

// Of field number `field` (tests/support/snapshot_fields.h).
std::string text_of_field(const TcpSnapshot& snapshot, std::size_t field);

// Gives field number `field` another value, in each of a few
// ways; way 0 is always there. False: there is no such way.
bool change_field(TcpSnapshot& snapshot, std::size_t field, std::size_t way);

}  // namespace migd::test
