// Connections brought into every situation in which one may be frozen.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/stack/test_bed.h"

namespace migd::test {

struct Situation {
  std::string name;
  std::function<void(TestBed&)> arrive;  // from a new bed
  StackOptions options = default_options();
  PeerOptions peer = {};
};

const std::vector<Situation>& situations();

}  // namespace migd::test
