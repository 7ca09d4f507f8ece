// The relay, between a client in memory and a local server in memory.
#include "app/relay/relay.h"

#include <gtest/gtest.h>

#include "app/relay/proxy_header.h"
#include "tests/app/two_nodes.h"

namespace migd {
namespace {

constexpr char kAddress[] = "unix:/run/server.sock";

ApplicationOptions relay_options() {
  ApplicationOptions relay = application("relay", ApplicationKind::kRelay);
  relay.address = *StreamAddress::parse(kAddress);
  return relay;
}

void echo_server(FakeLeg& leg, std::size_t& echoed) {
  leg.send(ByteView(leg.received).subspan(echoed));
  echoed = leg.received.size();
  if (leg.end_received) leg.end();
}

Bytes text(std::string_view t) {
  return to_bytes(as_bytes(t));
}

class RelayTest : public testing::Test {
 protected:
  explicit RelayTest(const ApplicationOptions& options = relay_options()) : nodes_({options}) {}

  // The same server at both nodes.
  void serve(const FakeStreamNetwork::Server& server) {
    nodes_.node(0).network.serve(kAddress, server);
    nodes_.node(1).network.serve(kAddress, server);
  }
  void serve_nothing() {
    serve([](FakeLeg&) {});
  }
  void open() {
    nodes_.open("relay");
    nodes_.settle();
  }
  void client_sends(std::string_view bytes) {
    nodes_.connection().client_sends(as_bytes(bytes));
    nodes_.settle();
  }
  std::string client_takes(std::size_t bytes_max = 1u << 20) {
    const Bytes taken = nodes_.connection().client_takes(bytes_max);
    nodes_.settle();
    return std::string(as_text(taken));
  }
  void server_sends(std::string_view bytes) {
    leg().send(as_bytes(bytes));
    nodes_.settle();
  }
  FakeLeg& leg() { return *nodes_.owner().network.legs().back(); }
  std::string server_got() { return std::string(as_text(leg().received)); }
  bool busy() { return nodes_.blockers() == Blocker::kAppBusy; }

  TwoNodes nodes_;
};

// ---- bytes and ends ----

TEST_F(RelayTest, PassesBytesBothWays) {
  serve_nothing();
  open();
  client_sends("question");
  EXPECT_EQ(server_got(), "question");
  server_sends("answer");
  EXPECT_EQ(client_takes(), "answer");
}

TEST_F(RelayTest, AServerMaySpeakFirst) {
  serve_nothing();
  open();
  server_sends("220 hello");
  EXPECT_EQ(client_takes(), "220 hello");
}

TEST_F(RelayTest, TheClientsEndBecomesTheServersAndBack) {
  serve_nothing();
  open();
  client_sends("last words");
  nodes_.connection().client_closes();
  nodes_.settle();
  EXPECT_TRUE(leg().end_received);
  EXPECT_FALSE(nodes_.connection().client_sees_fin());
  server_sends("answer to the last words");
  leg().end();
  nodes_.settle();
  EXPECT_EQ(client_takes(), "answer to the last words");
  EXPECT_TRUE(nodes_.gone());
  EXPECT_TRUE(leg().closed_by_relay);
  EXPECT_FALSE(leg().reset_received);
  EXPECT_FALSE(nodes_.connection().aborted());
}

TEST_F(RelayTest, TheServersEndBecomesTheClientsAndBack) {
  serve_nothing();
  open();
  server_sends("all I have");
  leg().end();
  nodes_.settle();
  EXPECT_FALSE(nodes_.connection().client_sees_fin());
  EXPECT_EQ(client_takes(), "all I have");
  EXPECT_TRUE(nodes_.connection().client_sees_fin());
  client_sends("thanks");
  EXPECT_EQ(server_got(), "thanks");
  nodes_.connection().client_closes();
  nodes_.settle();
  EXPECT_TRUE(leg().end_received);
  EXPECT_TRUE(nodes_.gone());
  EXPECT_FALSE(nodes_.connection().aborted());
}

TEST_F(RelayTest, AClientsResetResetsTheServer) {
  serve_nothing();
  open();
  client_sends("x");
  nodes_.connection().client_resets();
  nodes_.settle();
  EXPECT_TRUE(leg().reset_received);
  EXPECT_EQ(nodes_.owner().registry->session_count(), 0u);
}

TEST_F(RelayTest, AServersResetResetsTheClient) {
  serve_nothing();
  open();
  client_sends("x");
  leg().reset();
  nodes_.settle();
  EXPECT_TRUE(nodes_.connection().aborted());
  EXPECT_EQ(nodes_.owner().registry->session_count(), 0u);
}

TEST_F(RelayTest, AServerThatResetsAfterItsEndDoesNotCutItsAnswer) {
  serve_nothing();
  open();
  client_sends("a long upload");
  server_sends("413 enough");
  leg().end();
  nodes_.settle();
  leg().reset();
  nodes_.settle();
  EXPECT_FALSE(nodes_.connection().aborted());
  EXPECT_EQ(client_takes(), "413 enough");
  EXPECT_TRUE(nodes_.connection().client_sees_fin());
}

TEST_F(RelayTest, NoServerIsAReset) {
  open();
  EXPECT_TRUE(nodes_.connection().aborted());
  EXPECT_EQ(nodes_.owner().registry->session_count(), 0u);
  EXPECT_EQ(nodes_.owner()
                .metrics.counter("migd_relay_connect_failures_total{application=\"relay\"}")
                .value,
            1u);
}

TEST_F(RelayTest, ASessionThatEndsInsideItsOwnCallIsSafe) {
  nodes_.open("relay", {1000, true});  // abort() calls on_closed() at once
  nodes_.settle();
  EXPECT_TRUE(nodes_.gone());
  EXPECT_EQ(nodes_.owner().registry->session_count(), 0u);
}

// ---- back-pressure ----

TEST_F(RelayTest, WhatTheServerDoesNotTakeStaysUnread) {
  serve_nothing();
  open();
  leg().takes = 10;
  const std::string much(200'000, 'x');
  client_sends(much);
  EXPECT_EQ(leg().received.size(), 10u);
  EXPECT_EQ(nodes_.connection().readable(), much.size() - 10);
  leg().takes = SIZE_MAX;
  nodes_.settle();
  EXPECT_EQ(leg().received.size(), much.size());
  EXPECT_EQ(nodes_.connection().readable(), 0u);
}

TEST_F(RelayTest, WhatTheClientDoesNotTakeIsNotRead) {
  serve_nothing();
  nodes_.open("relay", {1000, false});
  nodes_.settle();
  nodes_.owner().network.read_size = 600;
  const std::string much(5000, 'y');
  server_sends(much);
  EXPECT_TRUE(leg().paused);
  EXPECT_EQ(leg().to_send.size(), 5000u - 1200);  // a full send buffer and the rest of one read
  std::string taken;
  for (int i = 0; i < 100; ++i)
    taken += client_takes(100);
  EXPECT_EQ(taken, much);
  EXPECT_FALSE(leg().paused);
}

struct Pace {
  std::size_t send, take, buffer, read;
};

class RelayPaceTest : public RelayTest, public testing::WithParamInterface<Pace> {};

TEST_P(RelayPaceTest, AnEchoServerGivesBackEveryByte) {
  const Pace pace = GetParam();
  std::size_t echoed = 0;
  serve([&](FakeLeg& l) { echo_server(l, echoed); });
  nodes_.node(0).network.read_size = pace.read;
  Script script;
  script.application = "relay";
  for (int i = 0; i < 3000; ++i)
    script.sends.push_back(static_cast<std::uint8_t>(i % 251));
  script.send_step = pace.send;
  script.take_step = pace.take;
  script.send_buffer = pace.buffer;
  script.moves = MoveMode::kFreezeEveryStep;
  const Outcome outcome = play(nodes_, script);
  EXPECT_EQ(outcome.received, script.sends);
  EXPECT_TRUE(outcome.fin);
  EXPECT_TRUE(nodes_.gone());
}

INSTANTIATE_TEST_SUITE_P(Paces, RelayPaceTest,
                         testing::Values(Pace{65536, 65536, 65536, 65536}, Pace{1, 1, 1, 1},
                                         Pace{100, 7, 10, 50}, Pace{1000, 100, 1000, 3}));

// ---- PROXY v2 ----

TEST(ProxyHeaderTest, OverIpv4) {
  const FourTuple tuple{{IpAddress::v4(0x0a4d0001), 80}, {IpAddress::v4(0x0a4d0102), 40000}};
  const ConnectionId id{NodeId{3}, Boot{0x010203040506}, 7};
  Bytes expected = text("\r\n\r\n");
  append(expected, Bytes{0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0, 31});
  append(expected, Bytes{10, 77, 1, 2, 10, 77, 0, 1, 0x9c, 0x40, 0, 80, 0x05, 0, 16});
  append(expected, Bytes{0, 3, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0, 0, 7});
  EXPECT_EQ(proxy_header(tuple, id), expected);
}

TEST(ProxyHeaderTest, OverIpv6) {
  const FourTuple tuple{*Endpoint::parse("[fd77::1]:443"), *Endpoint::parse("[fd77::2]:1025")};
  const Bytes header = proxy_header(tuple, ConnectionId{});
  ASSERT_EQ(header.size(), 16u + 36 + 19);
  EXPECT_EQ(header[13], 0x21);
  EXPECT_EQ(header[15], 36 + 19);
  EXPECT_EQ(to_bytes(ByteView(header).subspan(16, 16)), to_bytes(tuple.peer.address.bytes()));
  EXPECT_EQ(to_bytes(ByteView(header).subspan(48, 4)), (Bytes{4, 1, 1, 187}));
}

class ProxyRelayTest : public RelayTest {
 protected:
  static ApplicationOptions options() {
    ApplicationOptions relay = relay_options();
    relay.proxy_header = true;
    return relay;
  }
  ProxyRelayTest() : RelayTest(options()) {}
};

TEST_F(ProxyRelayTest, TheHeaderComesFirstAndAgainAfterAMove) {
  serve_nothing();
  nodes_.open("relay");
  nodes_.connection().client_sends(as_bytes("early"));
  nodes_.settle();
  const Bytes header = proxy_header(nodes_.connection().tuple(), nodes_.connection().id());
  EXPECT_EQ(server_got(), std::string(as_text(header)) + "early");
}

TEST_F(ProxyRelayTest, TheHeaderDoesNotMakeItBusy) {
  serve_nothing();
  open();
  EXPECT_FALSE(busy());
  ASSERT_TRUE(nodes_.move());
  nodes_.settle();
  EXPECT_EQ(leg().received, proxy_header(nodes_.connection().tuple(), nodes_.connection().id()));
}

// ---- moving ----

TEST_F(RelayTest, AFreshConnectionMovesFreely) {
  serve_nothing();
  open();
  EXPECT_FALSE(busy());
  ASSERT_TRUE(nodes_.move());
  EXPECT_TRUE(nodes_.node(0).network.legs().at(0)->closed_by_relay);
  nodes_.settle();
  client_sends("hello");
  EXPECT_EQ(server_got(), "hello");
  EXPECT_EQ(nodes_.node(1).network.legs().size(), 1u);
}

TEST_F(RelayTest, OtherBytesThanHttpMakeItBusyForGood) {
  serve_nothing();
  open();
  client_sends("\x01\x02 not HTTP");
  EXPECT_TRUE(busy());
  server_sends("something");
  EXPECT_EQ(client_takes(), "something");
  EXPECT_TRUE(busy());
}

TEST_F(RelayTest, AServerThatSpokeFirstMakesItBusy) {
  serve_nothing();
  open();
  server_sends("220 hello");
  client_takes();
  EXPECT_TRUE(busy());
}

TEST_F(RelayTest, AHalfClosedConnectionIsBusy) {
  serve_nothing();
  open();
  nodes_.connection().client_closes();
  nodes_.settle();
  EXPECT_TRUE(busy());
}

constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr char kHead[] = "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST_F(RelayTest, HttpIsBusyFromTheFirstByteOfTheRequestToTheLastOfTheResponse) {
  serve_nothing();
  open();
  const std::string request = kGet, response = kOk;
  for (int round = 0; round < 3; ++round) {
    for (const char c : request) {
      client_sends(std::string(1, c));
      EXPECT_TRUE(busy());
    }
    for (const char c : response) {
      EXPECT_TRUE(busy());
      server_sends(std::string(1, c));
    }
    EXPECT_FALSE(busy());
    EXPECT_EQ(client_takes(), response);
    ASSERT_TRUE(nodes_.move());
    nodes_.settle();
  }
  EXPECT_EQ(nodes_.moves(), 3u);
}

TEST_F(RelayTest, AResponseThatTheConnectionHasNotTakenIsBusy) {
  serve_nothing();
  nodes_.open("relay", {10, false});
  nodes_.settle();
  client_sends(kGet);
  server_sends(kOk);
  EXPECT_TRUE(busy());
  std::string taken;
  while (taken.size() < sizeof kOk - 1 - 10)
    taken += client_takes(1);
  EXPECT_FALSE(busy());  // the rest is in the send buffer, and travels
}

TEST_F(RelayTest, ARequestThatTheServerHasNotTakenIsBusy) {
  serve_nothing();
  open();
  leg().takes = 5;
  client_sends(kGet);
  EXPECT_TRUE(busy());
}

TEST_F(RelayTest, PipelinedRequestsAreAllAwaited) {
  serve_nothing();
  open();
  client_sends(std::string(kGet) + kHead + kGet);
  server_sends(kOk);
  EXPECT_TRUE(busy());
  server_sends("HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n");  // to HEAD: no body
  EXPECT_TRUE(busy());
  server_sends("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_FALSE(busy());
}

TEST_F(RelayTest, InterimResponsesAreNotTheResponse) {
  serve_nothing();
  open();
  client_sends("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  server_sends("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_TRUE(busy());
  client_sends("abc");
  server_sends("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
  EXPECT_TRUE(busy());
  server_sends(kOk);
  EXPECT_FALSE(busy());
}

TEST_F(RelayTest, AnEarlyResponseDoesNotEndTheRequest) {
  serve_nothing();
  open();
  client_sends("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  server_sends(kOk);
  EXPECT_TRUE(busy());
  client_sends("0\r\n\r\n");
  EXPECT_FALSE(busy());
}

TEST_F(RelayTest, ChunkedResponsesAreFollowedToTheirEnd) {
  serve_nothing();
  open();
  client_sends(kGet);
  server_sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n");
  EXPECT_TRUE(busy());
  server_sends("\r\n");
  EXPECT_FALSE(busy());
}

TEST_F(RelayTest, WhatHttpCannotGoOnFromIsBusyForGood) {
  const std::pair<std::string, std::string> exchanges[] = {
      {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", kOk},
      {"GET / HTTP/1.0\r\n\r\n", kOk},
      {kGet, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
      {kGet, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"},
      {kGet, "HTTP/1.1 200 OK\r\n\r\nuntil the end"},
      {kGet, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"},
      {kGet, std::string(kOk) + "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"},
      {kGet, "garbage"},
      {"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", kOk},
      {std::string(kGet) + "\x01", kOk},
  };
  for (const auto& [request, response] : exchanges) {
    serve_nothing();
    open();
    client_sends(request);
    server_sends(response);
    EXPECT_TRUE(busy()) << request << response;
    client_sends(kGet);
    server_sends(kOk);
    EXPECT_TRUE(busy()) << request << response;
    nodes_.connection().client_resets();
    nodes_.settle();
  }
}

TEST_F(RelayTest, WhileFrozenTheServersBytesWait) {
  serve_nothing();
  open();
  client_sends(kGet);
  server_sends(kOk);
  nodes_.connection().freeze();
  EXPECT_TRUE(leg().paused);
  server_sends("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
  leg().end();
  nodes_.settle();
  nodes_.connection().thaw();
  nodes_.settle();
  EXPECT_NE(client_takes().find("408"), std::string::npos);
  EXPECT_TRUE(nodes_.connection().client_sees_fin());
}

TEST_F(RelayTest, AServerThatIsLostWhileFrozenIsNoticedAfterTheThaw) {
  serve_nothing();
  open();
  nodes_.connection().freeze();
  leg().reset();
  nodes_.settle();
  EXPECT_FALSE(nodes_.connection().aborted());
  nodes_.connection().thaw();
  nodes_.settle();
  EXPECT_TRUE(nodes_.connection().aborted());
}

TEST_F(RelayTest, AFailedMoveChangesNothing) {
  serve_nothing();
  open();
  client_sends(kGet);
  server_sends(kOk);
  nodes_.freeze_and_thaw();
  client_sends(kGet);
  server_sends(kOk);
  EXPECT_EQ(client_takes(), std::string(kOk) + kOk);
  EXPECT_EQ(nodes_.node(0).network.legs().size(), 1u);
}

class OpaqueRelayTest : public RelayTest {
 protected:
  static ApplicationOptions options() {
    ApplicationOptions relay = relay_options();
    relay.http_idle = false;
    return relay;
  }
  OpaqueRelayTest() : RelayTest(options()) {}
};

TEST_F(OpaqueRelayTest, WithoutHttpIdleTheFirstByteMakesItBusyForGood) {
  serve_nothing();
  open();
  EXPECT_FALSE(busy());
  client_sends(kGet);
  server_sends(kOk);
  EXPECT_TRUE(busy());
}

// A small HTTP server: answers each request head with a numbered response, and CHECKs that what it
// is sent begins with a request.
class CountingServer {
 public:
  void operator()(FakeLeg& leg) {
    std::size_t& at = read_[&leg];
    const std::string received(as_text(leg.received));
    EXPECT_TRUE(received.empty() || received[0] == 'G');
    for (std::size_t end; (end = received.find("\r\n\r\n", at)) != std::string::npos;
         at = end + 4) {
      const std::string content = std::to_string(++answered_);
      leg.send(as_bytes("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(content.size()) +
                        "\r\n\r\n" + content));
    }
    if (leg.end_received) leg.end();
  }

 private:
  std::map<FakeLeg*, std::size_t> read_;
  int answered_ = 0;
};

class MovingRelayTest : public RelayTest,
                        public testing::WithParamInterface<std::tuple<MoveMode, Pace>> {};

TEST_P(MovingRelayTest, KeptAliveHttpGivesTheSameBytes) {
  const auto [moves, pace] = GetParam();
  Script script;
  script.application = "relay";
  for (int i = 0; i < 20; ++i)
    append(script.sends, as_bytes(kGet));
  script.send_step = pace.send;
  script.take_step = pace.take;
  script.send_buffer = pace.buffer;

  TwoNodes there({relay_options()});
  there.node(0).network.serve(kAddress, CountingServer());
  const Outcome expected = play(there, script);

  auto server = std::make_shared<CountingServer>();  // one world, two ways to it
  serve([server](FakeLeg& l) { (*server)(l); });
  for (std::size_t i : {0u, 1u})
    nodes_.node(i).network.read_size = pace.read;
  script.moves = moves;
  const Outcome outcome = play(nodes_, script);
  EXPECT_TRUE(outcome.same_for_client(expected));
  EXPECT_TRUE(outcome.fin);
  // One request at a time leaves room for a move behind each.
  const std::size_t least = pace.send == sizeof kGet - 1 && pace.take > 100 ? 20 : 1;
  EXPECT_EQ(outcome.moves >= least, moves == MoveMode::kEveryStep);
}

INSTANTIATE_TEST_SUITE_P(
    Modes, MovingRelayTest,
    testing::Combine(testing::Values(MoveMode::kEveryStep, MoveMode::kFreezeEveryStep),
                     testing::Values(Pace{sizeof kGet - 1, 65536, 65536, 65536},
                                     Pace{1, 65536, 65536, 1}, Pace{7, 3, 5, 2},
                                     Pace{sizeof kGet - 1, 10, 10, 3})));

}  // namespace
}  // namespace migd
