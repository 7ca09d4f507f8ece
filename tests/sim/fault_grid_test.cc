// Every fault: each party of a migration struck at each of its stages, in each TCP state that a
// node can move a connection in, with and without PREPARE (strike.h). Each test is of one traffic,
// prints how often it has reached each cell of its table, and fails for a cell that it has not.
//
// Cells that cannot exist:
//   LISTEN, SYN_SENT, CLOSED   no connection has these states: a node only answers
//   SYN_RCVD                   only the classifier moves those; it is the source itself
//   prepared, unprepared       a move without PREPARE has no such stage
//
// MIGD_SIM_CELL=PARTY/STAGE/FAULT/MOMENT/{prepared,unprepared} runs one cell of each test alone.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/seeds.h"
#include "tests/sim/strike.h"

namespace migd::sim {
namespace {

struct Count {
  int reached = 0;
  int died = 0;  // with its owner
};

// How often one traffic was struck. Rows: party and fault; columns: stages.
class Table {
 public:
  void add(const Strike& strike, const StrikeResult& result) {
    Count& count = counts_[{strike.party, strike.fault}][static_cast<std::size_t>(strike.stage)];
    ++count.reached;
    count.died += result.fate == Survival::Fate::kDied ? 1 : 0;
  }

  std::string to_string(const Traffic& traffic) const {
    std::string out = fmt::format("{}, {} (reached; +N: and N died with their owner)\n{:<12}{:<19}",
                                  traffic.name, migd::to_string(traffic.state), "party", "fault");
    for (std::size_t i = 0; i < kStageCount; ++i)
      out += fmt::format("{:>11}", migd::to_string(static_cast<Stage>(i)));
    for (const auto& [key, row] : counts_) {
      out += fmt::format("\n{:<12}{:<19}", sim::to_string(key.first), sim::to_string(key.second));
      for (const Count& count : row) {
        out += fmt::format(
            "{:>11}", count.died > 0 ? fmt::format("{}+{}", count.reached - count.died, count.died)
                                     : fmt::format("{}", count.reached));
      }
    }
    return out;
  }

  std::vector<std::string> never_reached(const std::vector<Party>& parties) const {
    std::vector<std::string> names;
    for (const Party party : parties) {
      for (const Fault fault : kCommonFaults) {
        const auto found = counts_.find({party, fault});
        for (std::size_t i = 0; i < kStageCount; ++i) {
          if (found != counts_.end() && found->second[i].reached > 0) continue;
          names.push_back(fmt::format("{} {} {}", sim::to_string(party), sim::to_string(fault),
                                      migd::to_string(static_cast<Stage>(i))));
        }
      }
    }
    return names;
  }

 private:
  std::map<std::pair<Party, Fault>, std::array<Count, kStageCount>> counts_;
};

// Which of the strikes this process shall run.
class Choice {
 public:
  bool includes(const Strike& strike) {
    if (only_ != nullptr) return strike.name() == only_;
    return !thin_ || ++seen_ % 10 == 0;
  }
  bool whole() const { return only_ == nullptr && !thin_; }

 private:
  const char* only_ = std::getenv("MIGD_SIM_CELL");
  bool thin_ = from_environment("MIGD_SIM_RUNS", 8) < 8;  // sanitizers take their time
  std::size_t seen_ = 0;
};

StrikeResult judge(const Traffic& traffic, const Strike& strike, std::uint64_t seed) {
  StrikeResult result = run(traffic, strike, seed);
  EXPECT_TRUE(result.moved) << "it was never in the state that was to be moved";
  EXPECT_TRUE(result.struck) << "the stage was never reached; " << result.report;
  for (const std::string& complaint : result.complaints)
    ADD_FAILURE() << complaint << "\n  " << result.report;
  return result;
}

void run_grid(const Traffic& traffic, const std::vector<Party>& parties, bool placement) {
  Table table;
  Choice choice;
  for_each_seed(1, [&](std::uint64_t seed) {
    for (const Party party : parties) {
      for (const Strike& strike : strikes(traffic, party, placement)) {
        if (!choice.includes(strike)) continue;
        SCOPED_TRACE(replay_command(seed, fmt::format("MIGD_SIM_CELL={} ", strike.name())));
        const StrikeResult result = judge(traffic, strike, seed);
        // Whether the classifier has seen the FIN by then is a matter of who is quicker.
        const bool in_state =
            result.state == traffic.state ||
            (placement && traffic.state == TcpState::kEstablished && result.state.has_value());
        EXPECT_TRUE(in_state);
        if (result.struck && in_state) table.add(strike, result);
      }
    }
  });
  fmt::print("{}\n", table.to_string(traffic));
  if (!choice.whole()) return;
  for (const std::string& name : table.never_reached(parties))
    ADD_FAILURE() << "never reached: " << name;
}

// ---- of connections that move from host to host ----

class EveryFault : public ::testing::TestWithParam<std::size_t> {};

TEST_P(EveryFault, IsSurvived) {
  run_grid(traffics()[GetParam()], {kParties.begin(), kParties.end()}, false);
}

INSTANTIATE_TEST_SUITE_P(Grid, EveryFault, ::testing::Range(std::size_t{0}, traffics().size()),
                         [](const auto& tested) { return traffics()[tested.param].name; });

TEST(FaultGrid, HasATrafficOfEachState) {
  std::set<TcpState> states;
  for (const Traffic& traffic : traffics())
    states.insert(traffic.state);
  for (const Traffic& traffic : placements())
    states.insert(traffic.state);
  EXPECT_EQ(states,
            (std::set<TcpState>{TcpState::kSynReceived, TcpState::kEstablished,
                                TcpState::kCloseWait, TcpState::kFinWait1, TcpState::kFinWait2,
                                TcpState::kClosing, TcpState::kLastAck, TcpState::kTimeWait}));
}

// ---- of the first move of all: the classifier places it ----

class EveryFaultOfPlacement : public ::testing::TestWithParam<std::size_t> {};

TEST_P(EveryFaultOfPlacement, IsSurvived) {
  run_grid(placements()[GetParam()], {Party::kSource, Party::kTarget, Party::kForwarder}, true);
}

INSTANTIATE_TEST_SUITE_P(Grid, EveryFaultOfPlacement,
                         ::testing::Range(std::size_t{0}, placements().size()),
                         [](const auto& tested) { return placements()[tested.param].name; });

}  // namespace
}  // namespace migd::sim
