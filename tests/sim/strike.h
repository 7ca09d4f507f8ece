// Strikes: one party of one migration struck at one stage, while the connection is in one TCP
// state. What has to become of the connection is Survival's to say: it lives as long as the node
// that holds its state, and then its client is served to the end; somebody else's connection always
// is.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/check/survival.h"
#include "tests/sim/faults.h"
#include "tests/sim/scenario.h"

namespace migd::sim {

enum class Party { kSource, kTarget, kForwarder, kClassifier };
inline constexpr std::array kParties = {Party::kSource, Party::kTarget, Party::kForwarder,
                                        Party::kClassifier};
std::string to_string(Party party);

// A client that brings its connection into `state`, and keeps it there for a while.
struct Traffic {
  std::string name;
  TcpState state;
  Scenario scenario;
  bool acknowledgements_lost = false;  // those of the client's FIN, for a while
};
std::vector<Traffic> traffics();    // of connections that move from host to host
std::vector<Traffic> placements();  // of those that move from the classifier to a host

struct Strike {
  Party party;
  Stage stage;
  Fault fault;
  Moment moment;
  bool prepare;
  bool placement = false;

  std::string name() const;  // "target/frozen/crash/at_once/prepared"
};

extern const std::vector<Fault> kCommonFaults;  // with which every state is struck
// Of each fault at each stage; of source and target with and without PREPARE.
std::vector<Strike> strikes(const Traffic& traffic, Party party, bool placement);

struct StrikeResult {
  bool moved = false;   // the connection was asked to move in the state that was to be
  bool struck = false;  // the stage was reached
  std::optional<TcpState> state;
  Survival::Fate fate = Survival::Fate::kNotOpened;
  std::vector<std::string> complaints;
  std::string report;
};
StrikeResult run(const Traffic& traffic, const Strike& strike, std::uint64_t seed);

}  // namespace migd::sim
