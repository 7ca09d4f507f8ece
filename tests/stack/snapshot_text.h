// A snapshot as text, every field of it: two that are equal read alike.
#pragma once

#include <string>

#include "stack/snapshot.h"

namespace migd::test {

std::string to_text(const TcpSnapshot& snapshot);

}  // namespace migd::test
