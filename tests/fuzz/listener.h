// What tests/support finds, with GoogleTest's expectations, ends the run of a fuzzer as well.
#pragma once

#include <gtest/gtest.h>

#include "tests/fuzz/finding.h"

namespace migd::fuzz {

class Listener : public testing::EmptyTestEventListener {
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (result.failed()) finding(result.message());
  }
};

inline void listen_to_expectations() {
  testing::UnitTest::GetInstance()->listeners().Append(new Listener);
}

}  // namespace migd::fuzz
