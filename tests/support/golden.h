// The golden vectors of tests/golden, which scapy's tests read too.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "base/bytes.h"

namespace migd::test {

// Of "tests/golden/NAME.hex".
inline Bytes golden(const std::string& name) {
  std::ifstream file("tests/golden/" + name + ".hex");
  EXPECT_TRUE(file.good()) << name << ": the tests run in the source's root";
  Bytes bytes;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    for (std::size_t i = 0; i + 1 < line.size(); i += 3) {
      bytes.push_back(static_cast<std::uint8_t>(std::stoul(line.substr(i, 2), nullptr, 16)));
    }
  }
  return bytes;
}

}  // namespace migd::test
