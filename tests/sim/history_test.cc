// What the owner of a connection tells of the moves that it has made: `migd trace`.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "tests/sim/scenario.h"

namespace migd::sim {
namespace {

std::optional<TraceReport> trace_at(SimCluster& cluster, const std::string& node,
                                    const std::string& id) {
  std::optional<TraceReport> report;
  cluster.machine(node).node().trace(id, [&](const TraceReport& told) { report = told; });
  cluster.world().run_until([&] { return report.has_value(); }, cluster.world().now() + 5s);
  return report;
}

class History : public ::testing::Test {
 protected:
  static ClusterOptions three_hosts() {
    ClusterOptions options;
    options.hosts = 3;
    return options;
  }
  History() : cluster_(three_hosts()) {
    cluster_.start();
    client_ = &cluster_.add_client(kEchoPort);
    Scenario scenario = echo(400, 100);
    scenario.script(*client_);
    client_->start();
    cluster_.world().run_for(100ms);
  }
  // False when it was not done within a second.
  bool move() {
    bool done = false;
    const auto connection = cluster_.connection_of(*client_);
    SimMachine* const owner = cluster_.owner_of(*connection);
    if (owner == nullptr) return false;
    const auto hosts = cluster_.hosts();
    const auto at = std::find(hosts.begin(), hosts.end(), owner);
    SimMachine& target = **(at + 1 == hosts.end() ? hosts.begin() : at + 1);
    cluster_.migrate(*client_, target, [&](const MigrateReport& report) { done = !report.error; });
    return cluster_.world().run_until([&] { return done; }, cluster_.world().now() + 1s);
  }

  SimCluster cluster_;
  SimClient* client_ = nullptr;
};

TEST_F(History, EveryMoveIsInItWithItsTimes) {
  constexpr std::size_t kMoves = 6;
  for (std::size_t i = 0; i < kMoves; ++i) {
    ASSERT_TRUE(move());
    cluster_.world().run_for(20ms);
  }
  const std::string id = cluster_.connection_of(*client_)->to_string();
  const auto trace = trace_at(cluster_, "f1", id.substr(0, 12));  // any node may be asked
  ASSERT_TRUE(trace && !trace->error) << trace->reason;
  EXPECT_EQ(trace->owner, cluster_.owner_of(*cluster_.connection_of(*client_))->name());
  EXPECT_EQ(trace->older_moves, 0u);
  ASSERT_EQ(trace->moves.size(), kMoves + 1);  // and where the classifier has put it
  EXPECT_EQ(trace->moves.front().asked_by, "classifier");
  EXPECT_EQ(trace->moves.front().from, "f1");
  EXPECT_EQ(trace->moves.back().to, trace->owner);
  EXPECT_EQ(trace->moves.back().epoch, trace->epoch);
  for (std::size_t i = 0; i < trace->moves.size(); ++i) {
    SCOPED_TRACE(i);
    const TracedMove& move = trace->moves[i];
    EXPECT_GT(move.blob_bytes, 100u);
    EXPECT_GT(move.crossing, 0us);
    EXPECT_GE(move.frozen, move.crossing);
    EXPECT_LT(move.frozen, 10ms);  // of which the fabric takes some tenths
    ASSERT_TRUE(move.first_in);    // of a client that goes on talking
    ASSERT_TRUE(move.first_out);
    EXPECT_LT(*move.first_in, 50ms);
    if (i == 0) continue;
    const TracedMove& before = trace->moves[i - 1];
    EXPECT_EQ(move.asked_by, "operator");
    EXPECT_EQ(move.from, before.to);
    EXPECT_GT(move.epoch, before.epoch);
    EXPECT_GT(before.ago, move.ago + 20ms);
    EXPECT_LT(before.ago, move.ago + 200ms);
  }
}

TEST_F(History, TheLatestAreKeptAndTheOthersCounted) {
  for (std::size_t i = 0; i < kPastMovesMax + 4; ++i)
    ASSERT_TRUE(move()) << i;
  const auto trace = trace_at(cluster_, "h1", cluster_.connection_of(*client_)->to_string());
  ASSERT_TRUE(trace && !trace->error);
  EXPECT_EQ(trace->moves.size(), kPastMovesMax);
  EXPECT_EQ(trace->older_moves, 5u);
}

TEST_F(History, OfNothing) {
  const auto trace = trace_at(cluster_, "h1", "ffffffffffff");
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->error, ErrorCode::kNotFound);
}

TEST_F(History, EachNodeMeasuresItsFreezes) {
  ASSERT_TRUE(move());
  std::uint64_t completed = 0;
  for (const auto& machine : cluster_.machines()) {
    const MigrationCounts counts = machine->node().status().migrations;
    completed += counts.completed;
    EXPECT_EQ(machine->node().metrics().histogram(kFreezeHistogram).count(), counts.completed);
    EXPECT_EQ(counts.freeze_p99 > 0us, counts.completed > 0);
    const std::string granted = fmt::format(
        "migd_migration_stage_microseconds_count{{stage=\"granted\"}} {}\n", counts.completed);
    EXPECT_NE(machine->node().metrics_text().find(granted), std::string::npos) << granted;
  }
  EXPECT_EQ(completed, 2u);
}

}  // namespace
}  // namespace migd::sim
