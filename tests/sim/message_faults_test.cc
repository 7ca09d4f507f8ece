// Every message of the migration protocol, with every fault that a message can meet
// (message_faults.h). Each test is of one kind, prints how often it has reached each of its cells,
// and fails for a cell that it has not.
//
// MIGD_SIM_CELL=KIND/FAULT/NTH/{prepared,unprepared} runs one cell alone.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/sim/message_faults.h"
#include "tests/sim/seeds.h"

namespace migd::sim {
namespace {

using Row = std::array<int, kMessageFaults.size()>;

std::string header() {
  std::string text = fmt::format("{:<14}{:<12}", "message", "");
  for (const MessageFault fault : kMessageFaults)
    text += fmt::format("{:>18}", to_string(fault));
  return text;
}

std::string to_string(wire::Kind kind, bool prepare, const Row& row) {
  std::string text =
      fmt::format("{:<14}{:<12}", sim::to_string(kind), prepare ? "prepared" : "unprepared");
  if (const std::string_view why = impossible(kind, prepare); !why.empty()) {
    return text + fmt::format("       cannot be: {}", why);
  }
  for (const int times : row)
    text += fmt::format("{:>18}", times);
  return text;
}

bool is_chosen(const MessageStrike& strike) {
  if (const char* only = std::getenv("MIGD_SIM_CELL")) return strike.name() == only;
  return from_environment("MIGD_SIM_RUNS", 8) >= 8 || strike.nth == 1;
}

class EveryMessage : public ::testing::TestWithParam<wire::Kind> {};

TEST_P(EveryMessage, MayBeLostRepeatedDelayedAndOvertaken) {
  const wire::Kind kind = GetParam();
  std::array<Row, 2> struck{}, reached{};
  for_each_seed(1, [&](std::uint64_t seed) {
    for (const bool prepare : {false, true}) {
      if (!impossible(kind, prepare).empty()) continue;
      for (const MessageFault fault : kMessageFaults) {
        for (const int nth : {1, 2}) {
          const MessageStrike strike{kind, fault, nth, prepare};
          if (!is_chosen(strike)) continue;
          SCOPED_TRACE(replay_command(seed, fmt::format("MIGD_SIM_CELL={} ", strike.name())));
          const MessageResult result = run(strike, seed);
          for (const std::string& complaint : result.complaints)
            ADD_FAILURE() << complaint;
          const auto at = static_cast<std::size_t>(fault);
          struck[prepare ? 1 : 0][at] += nth == 1 ? 1 : 0;
          reached[prepare ? 1 : 0][at] += result.reached ? 1 : 0;
        }
      }
    }
  });
  fmt::print("{}\n", header());
  for (const bool prepare : {false, true}) {
    const Row& times = reached[prepare ? 1 : 0];
    fmt::print("{}\n", to_string(kind, prepare, times));
    for (std::size_t fault = 0; fault < times.size(); ++fault) {
      EXPECT_TRUE(times[fault] > 0 || struck[prepare ? 1 : 0][fault] == 0)
          << "never reached: " << to_string(kMessageFaults[fault]);
    }
  }
}

std::vector<wire::Kind> kinds() {
  std::vector<wire::Kind> all;
  for (int kind = 1; kind <= kKinds; ++kind)
    all.push_back(static_cast<wire::Kind>(kind));
  return all;
}

INSTANTIATE_TEST_SUITE_P(Grid, EveryMessage, ::testing::ValuesIn(kinds()), [](const auto& tested) {
  return std::string(sim::to_string(tested.param));
});

}  // namespace
}  // namespace migd::sim
