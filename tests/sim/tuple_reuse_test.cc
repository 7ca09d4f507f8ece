// A four-tuple comes back while the connection that had it is in TIME_WAIT on the node that it
// moved to: RFC 6191 there, and a classification from the beginning.
#include <gtest/gtest.h>

#include "tests/sim/scenario.h"

namespace migd::sim {
namespace {

// Sends one request, without timestamps.
SimClient& first_client(SimCluster& cluster) {
  TcpConfig config;
  config.timestamps = false;
  SimClient& first = cluster.add_client(kHttpPort, config);
  first.send("GET /files/small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  return first.await_responses(1);
}

void expect_sound(SimCluster& cluster) {
  for (const Violation& violation : cluster.judge().violations())
    ADD_FAILURE() << violation.to_string();
}

class TupleReuse : public ::testing::TestWithParam<int> {};

TEST_P(TupleReuse, TheNextConnectionIsClassifiedAtOnce) {
  const int moves = GetParam();
  SimCluster cluster(ClusterOptions{});
  cluster.start();
  SimClient& first = first_client(cluster).await_end();
  first.start();
  cluster.world().run_for(20ms);
  for (int i = 0; i < moves; ++i) {
    EXPECT_TRUE(cluster.migrate_to_next(first));
    cluster.world().run_for(10ms);
  }
  first.tcp().shutdown_write();
  cluster.world().run_for(100ms);
  ASSERT_TRUE(first.finished()) << first.progress();
  const ConnectionId old = *cluster.connection_of(first);
  SimMachine* const keeper = cluster.owner_of(old);
  ASSERT_NE(keeper, nullptr) << "it waits out TIME_WAIT";
  EXPECT_EQ(keeper->name(), moves % 2 == 0 ? "h1" : "h2");
  EXPECT_EQ(keeper->node().stack().find(old)->state(), TcpState::kTimeWait);

  SimClient& second = cluster.add_client_again(first);
  second.send("GET /b/small HTTP/1.1\r\nHost: a\r\n\r\n").await_responses(1);
  second.start();
  cluster.world().run_for(200ms);  // less than it takes to repeat a SYN
  EXPECT_TRUE(second.finished()) << second.progress();
  const ConnectionId next = *cluster.connection_of(second);
  EXPECT_NE(next, old);
  EXPECT_EQ(cluster.owner_of(next)->name(), "h2");
  EXPECT_EQ(cluster.owner_of(old), nullptr);
  expect_sound(cluster);
}

// What tells the forwarder that the first connection is over is under way for as long as the second
// lasts: the SYN that comes back from the host says so as well.
TEST(TupleReuseTest, AMappingThatIsOverTakesNothingOfTheNextConnection) {
  SimCluster cluster(ClusterOptions{});
  cluster.start();
  cluster.decide_sending([](SimMachine&, ChannelMessage& message) -> std::vector<Duration> {
    return {message.kind == wire::Kind::kUnmap ? Duration(10s) : Duration::zero()};
  });
  SimClient& first = first_client(cluster).abort();
  first.start();
  cluster.world().run_for(100ms);
  ASSERT_TRUE(first.finished()) << first.progress();
  ASSERT_EQ(cluster.machine("f1").node().forwarder().mappings().size(), 1u) << "it is not told";

  SimClient& second = cluster.add_client_again(first);
  second.send("GET /files/small HTTP/1.1\r\nHost: a\r\n\r\n").await_responses(1);
  second.start();
  cluster.world().run_for(150ms);  // less than it takes to repeat anything
  EXPECT_TRUE(second.finished()) << second.progress();
  expect_sound(cluster);
}

// A SYN that the network has repeated meets the forwarder while a move is about to be refused: it
// is sent to the target, which has no such connection and gives it back.
TEST(TupleReuseTest, ASynThatComesBackWhileItsConnectionLivesOpensNoOther) {
  ClusterOptions options;
  options.migration_prepare = false;  // so that the mapping changes before the target refuses
  SimCluster cluster(options);
  cluster.start();
  SimMachine& h1 = cluster.machine("h1");
  SimMachine& h2 = cluster.machine("h2");
  SimClient& client = cluster.add_client(kEchoPort);
  client.send_ramp(1000).await_bytes(1000).sleep(400ms).send_ramp(1000).await_bytes(1000);
  Bytes syn;
  cluster.net().set_filter(client.port(), [&syn](Bytes packet) {
    if (syn.empty()) syn = packet;
    std::vector<Bytes> out;
    out.push_back(std::move(packet));
    return out;
  });
  client.start();
  cluster.world().run_for(300ms);
  SimMachine& owner = *cluster.owner_of(*cluster.connection_of(client));
  SimMachine& target = &owner == &h1 ? h2 : h1;
  // It comes when the forwarder has passed STATE on, and its mapping has not been set back.
  cluster.net().send(client.port(), Bytes(syn));
  cluster.world().run_for(options.client_path.delay - 5 * options.fabric_path.delay / 2);
  MoveTerms terms;
  terms.application = "nobody's";
  std::string reason;
  owner.node().migrate(cluster.connection_of(client)->to_string(), target.name(), terms,
                       [&reason](const MigrateReport& report) { reason = report.reason; });
  int returned = 0;
  cluster.net().set_filter(target.port(), [&, gue = target.options().gue_port](Bytes packet) {
    const auto ip = parse_ip(packet);
    const std::size_t port_at = ip ? ip->header_size + 2u : 0;
    returned +=
        ip && ip->protocol == kProtocolUdp && load_u16(packet.data() + port_at) == gue ? 1 : 0;
    std::vector<Bytes> out;
    out.push_back(std::move(packet));
    return out;
  });
  cluster.world().run_for(1s);
  EXPECT_EQ(reason, "application 'nobody's' is not registered");
  EXPECT_EQ(returned, 1);
  EXPECT_TRUE(client.finished()) << client.progress();
  EXPECT_EQ(cluster.owner_of(*cluster.connection_of(client)), &owner);
  expect_sound(cluster);
}

INSTANTIATE_TEST_SUITE_P(Moves, TupleReuse, ::testing::Values(0, 1, 2));

}  // namespace
}  // namespace migd::sim
