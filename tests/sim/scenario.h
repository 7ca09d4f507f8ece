// A scenario: a cluster, one client with a script, and when its connection moves. The same scenario
// runs with and without moves; what the client and the applications saw must be the same.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "tests/sim/cluster.h"

namespace migd::sim {

struct Moves {
  enum class When { kNever, kEveryPackets, kAtRandom };
  When when = When::kNever;
  std::uint64_t every = 1;  // packets of the flow, either direction, as they are sent
  Duration mean = 5ms;      // between two, at random
  std::uint64_t first = 4;  // packets before the first
  // No more after so long: a connection that is moved as soon as it has arrived has little time for
  // anything else, its timers included.
  Duration span = 8s;
};

struct Scenario {
  std::string name;
  std::uint16_t port = kEchoPort;
  std::function<void(SimClient&)> script;
  // What is wrong with what the client has at the end; empty: nothing.
  std::function<std::string(const SimClient&)> verify;
  ClusterOptions cluster{};
  TcpConfig client{};
  Moves moves{};
  std::function<void(SimCluster&, SimClient&)> disturb{};  // called once, when the client starts
  std::function<void(SimCluster&)> observe{};              // the same; changes nothing
  bool same_streams = true;    // received with moves == received without
  Duration limit = 300s;       // of virtual time
  Duration timestamps_late{};  // by so much, when a process was stopped (check/timestamps.h)

  bool clean_path() const;
};
void PrintTo(const Scenario& scenario, std::ostream* out);

struct Outcome {
  bool finished = false;
  bool died = false;  // with its owner: nobody has its state any more
  std::string wrong;  // by Scenario::verify
  std::string progress;
  Bytes received, written;
  FlowCounts counts;
  SimCluster::Counts migrations;
  std::vector<Violation> violations;
  std::uint64_t packets = 0;
  std::uint64_t fingerprint = 0;  // of every packet of the run, with its time
  Duration took{};                // from the client's SYN to the end of its script

  std::string report() const;
};

// Runs it; with `control`, the clean-path counts are judged against those.
Outcome run(const Scenario& scenario, bool with_moves, const FlowCounts* control = nullptr);

// Runs it unmigrated, then migrated, and expects both sound and equal. Returns the migrated
// outcome.
Outcome expect_unseen(const Scenario& scenario);

// ---- parts of scenarios ----

Scenario download(std::size_t responses = 1);
Scenario upload(std::size_t body_bytes);
Scenario echo(std::size_t rounds, std::size_t size);
Scenario echo_bulk(std::size_t bytes);
Scenario source(std::size_t bytes);
Scenario discard(std::size_t bytes);

}  // namespace migd::sim
