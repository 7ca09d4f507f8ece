#include "forwarder/classifier.h"

#include <gtest/gtest.h>

#include "tests/app/fake_connection.h"
#include "tests/forwarder/test_nodes.h"

namespace migd {
namespace {

constexpr Instant kStart{100s};
constexpr NodeId kSelf{1}, kA{2}, kB{3}, kC{4};

ServiceOptions web() {
  ServiceOptions service;
  service.name = "web";
  service.rules = {
      {"upload", {"PUT", {}, "/up"}, NodeTarget{kA}, "upload"},
      {"api", {{}, "api.example", {}}, PoolTarget{"hosts"}, "relay"},
      {"static", {{}, {}, "/static"}, PoolTarget{"hosts"}, "files"},
  };
  service.default_target = NodeTarget{kSelf};
  service.default_application = "echo";
  service.pools = {{"hosts", {kA, kB, kC}, {}}};
  return service;
}

struct ClassifierTest : ::testing::Test {
  ClassifierTest() {
    bus.subscribe<ConnectionClassified>(
        [this](const ConnectionClassified& m) { classified.push_back(m); });
    for (const NodeId peer : {kA, kB, kC})
      bus.post(PeerUp{peer, Boot{1}});
    bus.dispatch();
  }

  Classifier& start(ServiceOptions service) {
    classifier = std::make_unique<Classifier>(std::move(service), kSelf, health, bus, now);
    return *classifier;
  }
  void establish() {
    if (classifier == nullptr) start(web());
    classifier->on_established(*connection);
    settle();
  }
  void client_sends(std::string_view text) {
    connection->client_sends(as_bytes(text));
    settle();
  }
  // Events, bus and deadlines, as a composition root runs them.
  void settle() {
    for (int i = 0; i < 3; ++i) {
      connection->deliver_events();
      bus.dispatch();
    }
    while (classifier->next_deadline() <= now) {
      classifier->on_deadline(now);
      bus.dispatch();
      connection->deliver_events();
    }
  }
  void pass(Duration d) {
    const Instant end = now + d;
    while (classifier->next_deadline() <= end) {
      now = std::max(now, classifier->next_deadline());
      settle();
    }
    now = end;
  }
  // What the source's half says of an attempt to move the connection.
  void finish(MigrationOutcome outcome) {
    MigrationFinished finished;
    finished.tenure = {connection->id(), connection->epoch()};
    finished.source = kSelf;
    finished.target = classified.empty() ? NodeId{} : classified.back().target;
    finished.outcome = outcome;
    bus.post(finished);
    settle();
  }
  void expect_decided(std::string_view rule, NodeId target, std::string_view application) {
    ASSERT_EQ(classified.size(), 1u);
    EXPECT_EQ(classified[0].endpoint.connection, connection->id());
    EXPECT_EQ(classified[0].rule, rule);
    EXPECT_EQ(classified[0].target, target);
    EXPECT_EQ(classified[0].application, application);
  }

  Instant now = kStart;
  MessageBus bus;
  NodeHealth health{
      test::node_info(1), {test::node_info(2), test::node_info(3), test::node_info(4)}, bus};
  std::unique_ptr<FakeConnection> connection = std::make_unique<FakeConnection>();
  std::vector<ConnectionClassified> classified;
  std::unique_ptr<Classifier> classifier;
};

// ---- deciding ----

TEST_F(ClassifierTest, DecidesByTheFirstRuleThatMatches) {
  establish();
  EXPECT_EQ(connection->handler(), classifier.get());
  EXPECT_EQ(connection->application(), "");
  client_sends("PUT /up/x HTTP/1.1\r\nHost: api.example\r\n\r\n");
  expect_decided("upload", kA, "upload");
}

// ---- when ----

TEST_F(ClassifierTest, AtTheSynForAnotherNode) {
  ServiceOptions service = web();
  service.on = ServiceOptions::On::kSyn;
  service.default_target = NodeTarget{kB};
  start(service).on_syn_answered(*connection);
  settle();
  expect_decided("default", kB, "echo");
  EXPECT_EQ(connection->readable(), 0u);
  classifier->on_established(*connection);  // meanwhile: nothing new
  settle();
  EXPECT_EQ(classified.size(), 1u);
}

TEST_F(ClassifierTest, AtTheSynForThisNodeAfterTheHandshake) {
  ServiceOptions service = web();
  service.on = ServiceOptions::On::kSyn;
  start(service).on_syn_answered(*connection);
  settle();
  EXPECT_TRUE(classified.empty());
  classifier->on_established(*connection);
  settle();
  expect_decided("default", kSelf, "echo");
}

// A client may answer the last repetition of the SYN/ACK; and placing begins only then.
TEST_F(ClassifierTest, ASlowHandshakeIsTheStacksBusiness) {
  ServiceOptions service = web();
  service.on = ServiceOptions::On::kSyn;
  start(service).on_syn_answered(*connection);
  settle();
  pass(6 * service.placement_timeout);
  EXPECT_FALSE(connection->aborted());
  classifier->on_established(*connection);
  settle();
  expect_decided("default", kSelf, "echo");
  pass(service.placement_timeout - 1ms);
  EXPECT_FALSE(connection->aborted());
}

// The client may be another classifier's by then: whether it is ours the handshake says.
TEST_F(ClassifierTest, WhatIsRefusedHalfOpenWaitsForTheHandshake) {
  ServiceOptions service = web();
  service.on = ServiceOptions::On::kSyn;
  service.default_target = NodeTarget{kB};
  start(service).on_syn_answered(*connection);
  settle();
  expect_decided("default", kB, "echo");
  finish(MigrationOutcome::kAborted);
  pass(1min);
  EXPECT_EQ(classified.size(), 1u);
  EXPECT_EQ(connection->handler(), classifier.get());
  classifier->on_established(*connection);
  settle();
  ASSERT_EQ(classified.size(), 2u);
  EXPECT_EQ(classified[1].target, kB);
  finish(MigrationOutcome::kRefused);
  pass(Classifier::kRetryMax);
  EXPECT_GT(classified.size(), 2u);  // placing has begun with the handshake
}

TEST_F(ClassifierTest, AFloodOfSynsIsNoneOfMigrations) {
  ServiceOptions service = web();
  service.on = ServiceOptions::On::kSyn;
  service.default_target = NodeTarget{kB};
  start(service);
  std::vector<std::unique_ptr<FakeConnection>> flood;
  for (std::uint64_t i = 0; i < Classifier::kHalfOpenMax + 20; ++i) {
    flood.push_back(std::make_unique<FakeConnection>());
    flood.back()->set_id({kSelf, Boot{1}, 100 + i});
    classifier->on_syn_answered(*flood.back());
  }
  settle();
  EXPECT_EQ(classified.size(), Classifier::kHalfOpenMax);
  classifier->on_established(*flood.back());  // its handshake is complete: chosen now
  settle();
  EXPECT_EQ(classified.size(), Classifier::kHalfOpenMax + 1);
}

TEST_F(ClassifierTest, ByCallItDecidesNothing) {
  ServiceOptions service = web();
  service.on = ServiceOptions::On::kCall;
  start(service);
  establish();
  client_sends("PUT /up/x HTTP/1.1\r\nHost: api.example\r\n\r\n");
  pass(service.placement_timeout - 1ms);
  EXPECT_TRUE(classified.empty());
  EXPECT_FALSE(connection->aborted());
  pass(2ms);
  EXPECT_TRUE(connection->aborted());
}

TEST_F(ClassifierTest, ByCallSomebodyBindsIt) {
  ServiceOptions service = web();
  service.on = ServiceOptions::On::kCall;
  start(service);
  establish();
  bus.post(ConnectionBound{connection->id(), "echo", false});
  settle();
  pass(2 * service.placement_timeout);
  EXPECT_FALSE(connection->aborted());
}

TEST_F(ClassifierTest, ConsumesNothing) {
  establish();
  constexpr std::string_view kText = "PUT /up HTTP/1.1\r\nHost: a\r\n\r\nbody";
  client_sends(kText);
  ASSERT_EQ(classified.size(), 1u);
  EXPECT_EQ(connection->readable(), kText.size());
  EXPECT_EQ(connection->bytes_in(), 0u);
}

TEST_F(ClassifierTest, DataThatWasThereBeforeIsRead) {
  connection->client_sends(as_bytes("GET /static HTTP/1.1\r\nHost: a\r\n\r\n"));
  establish();
  expect_decided("static", kA, "files");
}

TEST_F(ClassifierTest, ByteByByte) {
  establish();
  constexpr std::string_view kText = "GET /x HTTP/1.1\r\nHost: API.example:80\r\n\r\n";
  for (std::size_t i = 0; i + 1 < kText.size(); ++i) {
    client_sends(kText.substr(i, 1));
    ASSERT_TRUE(classified.empty()) << i;
  }
  client_sends(kText.substr(kText.size() - 1));
  expect_decided("api", kA, "relay");
}

TEST_F(ClassifierTest, HeadLongerThanItsReadBuffer) {
  establish();
  client_sends("GET /static HTTP/1.1\r\nHost: a\r\nX: " + std::string(7000, 'x') + "\r\n\r\n");
  expect_decided("static", kA, "files");
}

TEST_F(ClassifierTest, NothingMatches) {
  establish();
  client_sends("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /static HTTP/1.1\r\n\r\n");
  expect_decided("default", kSelf, "echo");
}

TEST_F(ClassifierTest, SilenceIsATimeout) {
  establish();
  pass(500ms - 1ns);
  EXPECT_TRUE(classified.empty());
  pass(2ms);
  expect_decided("default (timeout)", kSelf, "echo");
}

TEST_F(ClassifierTest, SlowLorisDoesNotStretchTheTimeout) {
  establish();
  std::string_view text = "GET /static HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
  for (int i = 0; i < 6; ++i) {
    client_sends(text.substr(static_cast<std::size_t>(i), 1));
    pass(100ms);
  }
  expect_decided("default (timeout)", kSelf, "echo");
}

TEST_F(ClassifierTest, WhatIsNoRequestSaysWhy) {
  establish();
  client_sends("\x16\x03\x01\x02");
  expect_decided("default (malformed)", kSelf, "echo");
}

TEST_F(ClassifierTest, Http2SaysSo) {
  establish();
  client_sends("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  expect_decided("default (http2)", kSelf, "echo");
}

TEST_F(ClassifierTest, TooLarge) {
  establish();
  client_sends("GET /static HTTP/1.1\r\nX: " + std::string(9000, 'x'));
  expect_decided("default (too_large)", kSelf, "echo");
}

TEST_F(ClassifierTest, PeerThatClosesFirst) {
  establish();
  client_sends("GET /static HTTP/1.1\r\n");
  connection->client_closes();
  settle();
  expect_decided("default (peer_closed)", kSelf, "echo");
}

TEST_F(ClassifierTest, PeerThatClosesBehindItsRequest) {
  establish();
  connection->client_sends(as_bytes("GET /static HTTP/1.1\r\nHost: a\r\n\r\n"));
  connection->client_closes();
  settle();
  expect_decided("static", kA, "files");
}

TEST_F(ClassifierTest, ServiceWithoutProtocolDecidesAtOnce) {
  ServiceOptions service = web();
  service.protocol = ServiceOptions::Protocol::kNone;
  start(std::move(service));
  establish();
  expect_decided("default", kSelf, "echo");
}

TEST_F(ClassifierTest, DecidesOnce) {
  establish();
  client_sends("PUT /up HTTP/1.1\r\nHost: a\r\n\r\n");
  client_sends("GET /static HTTP/1.1\r\nHost: a\r\n\r\n");
  connection->client_closes();
  settle();
  pass(1s);
  EXPECT_EQ(classified.size(), 1u);
}

TEST_F(ClassifierTest, PoolIsTakenInTurn) {
  start(web());
  std::vector<NodeId> targets;
  for (int i = 0; i < 4; ++i) {
    connection = std::make_unique<FakeConnection>();
    connection->client_sends(as_bytes("GET /static HTTP/1.1\r\nHost: a\r\n\r\n"));
    establish();
    targets.push_back(classified.back().target);
    connection->release();
  }
  EXPECT_EQ(targets, (std::vector{kA, kB, kC, kA}));
  EXPECT_EQ(classifier->undecided(), 0u);
}

// ---- placing ----

struct Placing : ClassifierTest {
  void decide_pool() {
    establish();
    client_sends("GET /static HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_EQ(classified.size(), 1u);
    ASSERT_EQ(classified[0].target, kA);
  }
};

TEST_F(Placing, BoundHereEndsIt) {
  decide_pool();
  connection->bind("files", nullptr);
  bus.post(ConnectionBound{connection->id(), "files", false});
  settle();
  EXPECT_EQ(classifier->undecided(), 0u);
  EXPECT_EQ(classifier->next_deadline(), kNever);
  pass(60s);
  EXPECT_FALSE(connection->aborted());
}

TEST_F(Placing, MovedAwayEndsIt) {
  decide_pool();
  connection->freeze();
  settle();
  connection->release();
  finish(MigrationOutcome::kCompleted);
  EXPECT_EQ(classifier->undecided(), 0u);
  pass(60s);
  EXPECT_EQ(classified.size(), 1u);
}

TEST_F(Placing, RefusedGoesToTheNextNodeAtOnce) {
  decide_pool();
  finish(MigrationOutcome::kRefused);
  ASSERT_EQ(classified.size(), 2u);
  EXPECT_EQ(classified[1].target, kB);
  EXPECT_EQ(classified[1].rule, "static");
  finish(MigrationOutcome::kAborted);
  ASSERT_EQ(classified.size(), 3u);
  EXPECT_EQ(classified[2].target, kC);
  finish(MigrationOutcome::kRefused);
  EXPECT_EQ(classified.size(), 3u) << "all were tried";
  pass(99ms);
  EXPECT_EQ(classified.size(), 3u);
  pass(3ms);
  EXPECT_EQ(classified.size(), 4u);
}

TEST_F(Placing, NodesThatAreDownAreNotTried) {
  bus.post(PeerDown{kB, "gone"});
  bus.dispatch();
  decide_pool();
  finish(MigrationOutcome::kRefused);
  ASSERT_EQ(classified.size(), 2u);
  EXPECT_EQ(classified[1].target, kC);
}

TEST_F(Placing, WaitsForANodeToComeUp) {
  for (const NodeId peer : {kA, kB, kC})
    bus.post(PeerDown{peer, "gone"});
  bus.dispatch();
  establish();
  client_sends("GET /static HTTP/1.1\r\nHost: a\r\n\r\n");
  pass(5s);
  EXPECT_TRUE(classified.empty());
  EXPECT_FALSE(connection->aborted());
  bus.post(PeerUp{kB, Boot{2}});
  bus.dispatch();
  pass(1002ms);
  ASSERT_EQ(classified.size(), 1u);
  EXPECT_EQ(classified[0].target, kB);
}

TEST_F(Placing, NodeTargetIsRetriedWithGrowingPauses) {
  establish();
  client_sends("PUT /up HTTP/1.1\r\nHost: a\r\n\r\n");
  std::vector<std::int64_t> pauses;
  while (pauses.size() < 6) {
    const std::size_t before = classified.size();
    const Instant refused_at = now;
    finish(MigrationOutcome::kRefused);
    while (classified.size() == before) {
      ASSERT_LT(now - refused_at, 2s);
      pass(1ms);
    }
    EXPECT_EQ(classified.back().target, kA);
    pauses.push_back(to_milliseconds(now - refused_at));
  }
  const std::vector<std::int64_t> expected{100, 200, 400, 800, 1000, 1000};
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(static_cast<double>(pauses[i]), static_cast<double>(expected[i]), 3);
}

TEST_F(Placing, WithoutATakerTheConnectionIsAborted) {
  for (const bool at_once : {false, true}) {
    classified.clear();
    connection =
        std::make_unique<FakeConnection>(FakeConnection::Options{.closed_at_once = at_once});
    decide_pool();
    for (int round = 0; round < 40 && !connection->gone(); ++round) {
      finish(MigrationOutcome::kRefused);
      pass(300ms);
    }
    EXPECT_TRUE(connection->aborted());
    EXPECT_TRUE(connection->gone());
    EXPECT_EQ(classifier->undecided(), 0u);
    EXPECT_EQ(classifier->next_deadline(), kNever);
    classifier.reset();
    bus = MessageBus();  // what the classifier had subscribed
    bus.subscribe<ConnectionClassified>(
        [this](const ConnectionClassified& m) { classified.push_back(m); });
  }
}

TEST_F(Placing, MoveThatIsUnderWayAtTheTimeoutIsAwaited) {
  decide_pool();
  connection->freeze();
  pass(11s);
  EXPECT_FALSE(connection->aborted()) << "it is frozen, and may succeed yet";
  connection->thaw();
  finish(MigrationOutcome::kAborted);
  EXPECT_TRUE(connection->aborted());
  EXPECT_EQ(classifier->undecided(), 0u);
}

TEST_F(Placing, SomebodyElsesMoveAtTheTimeoutIsAwaitedToo) {
  for (const NodeId peer : {kA, kB, kC})
    bus.post(PeerDown{peer, "gone"});
  bus.dispatch();
  establish();
  client_sends("GET /static HTTP/1.1\r\nHost: a\r\n\r\n");
  pass(9s);
  connection->freeze();
  pass(3s);
  EXPECT_EQ(classifier->undecided(), 1u);
  connection->thaw();
  finish(MigrationOutcome::kAborted);
  EXPECT_TRUE(connection->aborted());
}

TEST_F(Placing, CompletionMayBeHeardOfBeforeTheEnd) {
  decide_pool();
  connection->freeze();
  finish(MigrationOutcome::kCompleted);
  EXPECT_EQ(classified.size(), 1u);
  connection->release();
  EXPECT_EQ(classifier->undecided(), 0u);
}

// The deadline of reading comes up when the decision has been made, and before the deadline of
// placing was set.
TEST_F(Placing, DeadlineOfTheStepBeforeMeansNothing) {
  start(web()).on_established(*connection);
  classifier->on_deadline(now);
  connection->client_sends(as_bytes("GET /static HTTP/1.1\r\nHost: a\r\n\r\n"));
  connection->deliver_events();
  bus.dispatch();
  ASSERT_EQ(classified.size(), 1u);
  now += 1s;
  classifier->on_deadline(now);
  finish(MigrationOutcome::kRefused);
  EXPECT_EQ(classified.size(), 2u);
  EXPECT_FALSE(connection->aborted());
}

TEST_F(Placing, MoveThatSucceedsAfterTheTimeoutIsFine) {
  decide_pool();
  connection->freeze();
  pass(11s);
  connection->release();
  finish(MigrationOutcome::kCompleted);
  EXPECT_FALSE(connection->aborted());
  EXPECT_EQ(classifier->undecided(), 0u);
}

TEST_F(Placing, OthersMigrationsAreNotItsBusiness) {
  decide_pool();
  MigrationFinished finished;
  finished.tenure.connection = test::connection_id(4711);
  finished.outcome = MigrationOutcome::kRefused;
  bus.post(finished);
  settle();
  EXPECT_EQ(classified.size(), 1u);
}

// ---- the connection may end at any moment ----

TEST_F(ClassifierTest, EndsWhileReading) {
  establish();
  client_sends("GET /sta");
  connection->client_resets();
  settle();
  EXPECT_EQ(classifier->undecided(), 0u);
  connection.reset();
  now += 60s;
  classifier->on_deadline(now);
  bus.dispatch();
  EXPECT_TRUE(classified.empty());
}

TEST_F(ClassifierTest, EndsBeforeItsDeadlineWasSet) {
  start(web()).on_established(*connection);
  connection->client_resets();
  connection->deliver_events();
  connection.reset();
  classifier->on_deadline(now);
  EXPECT_EQ(classifier->undecided(), 0u);
  EXPECT_EQ(classifier->next_deadline(), kNever);
}

TEST_F(Placing, EndsWhilePlacedAndWhileWaiting) {
  for (const bool waiting : {false, true}) {
    classified.clear();
    connection = std::make_unique<FakeConnection>();
    establish();
    client_sends("PUT /up HTTP/1.1\r\nHost: a\r\n\r\n");
    if (waiting) finish(MigrationOutcome::kRefused);
    const ConnectionId id = connection->id();
    connection->client_resets();
    connection->deliver_events();
    connection.reset();
    MigrationFinished late;
    late.tenure.connection = id;
    late.outcome = MigrationOutcome::kAborted;
    bus.post(late);
    bus.dispatch();
    now += 60s;
    classifier->on_deadline(now);
    bus.dispatch();
    EXPECT_EQ(classified.size(), 1u);
    EXPECT_EQ(classifier->undecided(), 0u);
  }
}

TEST_F(ClassifierTest, IsDestroyedWithConnectionsPending) {
  establish();
  client_sends("GET /sta");
  classifier.reset();
}

}  // namespace
}  // namespace migd
