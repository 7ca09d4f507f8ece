// Tombstones that lead to tombstones: what is passed on takes the shorter way, once nothing that it
// could overtake is on the longer one.
#include <gtest/gtest.h>

#include "tests/sim/scenario.h"
#include "tests/sim/straggler.h"

namespace migd::sim {
namespace {

std::uint64_t passed_on(SimMachine& machine) {
  return machine.node().metrics().counter("migd_stragglers_sent_total").value;
}

TEST(Tombstones, CollapseToTheNewestOwner) {
  ClusterOptions options;
  options.hosts = 3;
  SimCluster cluster(options);
  cluster.start();
  Bytes latest;  // what the client has sent last, an ACK
  SimClient& client = cluster.add_client(kEchoPort);
  client.send("hello").await_bytes(5);
  cluster.net().set_filter(client.port(), [&latest](Bytes packet) {
    latest = packet;
    std::vector<Bytes> out;
    out.push_back(std::move(packet));
    return out;
  });
  client.start();
  cluster.world().run_for(300ms);
  ASSERT_TRUE(client.finished()) << client.progress();
  const ConnectionId id = *cluster.connection_of(client);
  SimMachine& first = *cluster.owner_of(id);
  ASSERT_TRUE(cluster.migrate_to_next(client));
  cluster.world().run_for(100ms);
  SimMachine& second = *cluster.owner_of(id);
  ASSERT_TRUE(cluster.migrate_to_next(client));
  cluster.world().run_for(100ms);
  SimMachine& third = *cluster.owner_of(id);
  ASSERT_NE(&third, &first);

  const auto comes_late = [&] {
    cluster.net().send(first.port(), straggler(cluster.machine("f1"), first, latest));
  };
  const std::uint64_t at_first = passed_on(first), at_second = passed_on(second);
  comes_late();
  cluster.world().run_for(5ms);
  EXPECT_EQ(passed_on(second), at_second + 1) << "the first owner knows only the second";
  comes_late();
  cluster.world().run_for(5ms);
  EXPECT_EQ(passed_on(second), at_second + 2) << "one that is on its way must not be overtaken";
  cluster.world().run_for(100ms);
  comes_late();
  cluster.world().run_for(5ms);
  EXPECT_EQ(passed_on(second), at_second + 2) << "straight to the third";
  EXPECT_EQ(passed_on(first), at_first + 3);
  for (const Violation& violation : cluster.judge().violations())
    ADD_FAILURE() << violation.to_string();
}

}  // namespace
}  // namespace migd::sim
