// Which seeds a test runs, and how a failure is replayed.
//
// MIGD_SIM_SEED=N runs seed N alone, MIGD_SIM_RUNS=N that many seeds of each test,
// MIGD_SIM_SECONDS=N makes the random tests draw fresh seeds for N seconds.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace migd::sim {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise);

// Of a long test, which is so many tests: every n-th seed, that it may run on several processors.
struct SeedShare {
  std::uint64_t index = 0;
  std::uint64_t of = 1;
};

// For each seed that this process shall run of a test with `usual` seeds; stops at the first
// failure.
void for_each_seed(int usual, const std::function<void(std::uint64_t)>& body, SeedShare share = {});

// The command that runs the current test again; `more` is further environment ("A=1 ").
std::string replay_command(std::uint64_t seed, std::string_view more = "");

}  // namespace migd::sim
