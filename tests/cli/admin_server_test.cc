#include "cli/admin/admin_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "tests/cli/admin_fixture.h"

namespace migd {
namespace {

using nlohmann::json;
using testing::EndsWith;
using testing::HasSubstr;

using testing::StartsWith;

constexpr std::string_view kStatus = "GET /v1/status HTTP/1.1\r\nHost: migd\r\n\r\n";

std::string get(std::string_view path) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: migd\r\nConnection: close\r\n\r\n";
}

std::string post(std::string_view path, std::string_view body) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: migd\r\nConnection: close\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

std::string body_of(const std::string& response) {
  return response.substr(response.find("\r\n\r\n") + 4);
}

std::string unchunked(std::string_view body) {
  std::string out;
  while (!body.empty()) {
    const std::size_t size = std::stoul(std::string(body), nullptr, 16);
    body.remove_prefix(body.find("\r\n") + 2);
    out += body.substr(0, size);
    body.remove_prefix(size + 2);
  }
  return out;
}

class AdminServerTest : public AdminFixture {
 protected:
  std::string ask(std::string_view request) {
    RawClient client(socket_path());
    client.send(request);
    return client.read_all();
  }
  // The server still serves, whatever happened before.
  void expect_alive() { EXPECT_THAT(ask(get("/v1/status")), StartsWith("HTTP/1.1 200 OK\r\n")); }
};

TEST_F(AdminServerTest, SocketIsForItsOwnerOnly) {
  struct stat status {};
  ASSERT_EQ(stat(socket_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(AdminServerTest, Status) {
  service_.report.node = "a";
  service_.report.id = NodeId{1};
  service_.report.roles.host = true;
  service_.report.uptime = 3s;
  service_.report.peers.push_back({"b", NodeId{2}, {}, true, 250us, {7, 500, false}});
  service_.report.services.push_back({"web", {*Endpoint::parse("[fd77::1]:80")}});
  const json status = json::parse(body_of(ask(get("/v1/status"))));
  EXPECT_EQ(status["node"], "a");
  EXPECT_EQ(status["roles"], json::array({"host"}));
  EXPECT_EQ(status["state"], "ready");
  EXPECT_EQ(status["uptime_us"], 3'000'000);
  EXPECT_EQ(status["peers"][0]["round_trip_us"], 250);
  EXPECT_EQ(status["peers"][0]["connections"], 7);
  EXPECT_EQ(status["services"][0]["vips"][0], "[fd77::1]:80");
}

TEST_F(AdminServerTest, ConnectionsManyAndNone) {
  EXPECT_EQ(unchunked(body_of(ask(get("/v1/conns")))), "{\"connections\":[]}\n");
  for (std::uint64_t i = 0; i < 10'000; ++i)
    service_.rows.push_back(make_row(i));
  const json answer = json::parse(unchunked(body_of(ask(get("/v1/conns?x=y")))));
  ASSERT_EQ(answer["connections"].size(), 10'000u);
  const json& row = answer["connections"][9'999];
  EXPECT_EQ(row["id"], service_.rows[9'999].id.to_string());
  EXPECT_EQ(row["peer"], "10.77.99.2:40001");
  EXPECT_EQ(row["owner"], "a");
  EXPECT_EQ(row["rtt_us"], 350);
}

TEST_F(AdminServerTest, MetricsOfNodeAndServer) {
  const std::string response = ask(get("/v1/metrics"));
  EXPECT_THAT(response, HasSubstr("\nmigd_connections_opened_total 3\n") /* of the node */);
  EXPECT_THAT(response, HasSubstr("\nmigd_admin_requests_total 1\n"));
}

TEST_F(AdminServerTest, UnknownPathsAndMethods) {
  EXPECT_THAT(ask(get("/")), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_THAT(ask(get("/v1/statuses")), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(ask(get("/v1/migrate")), HasSubstr("\r\nAllow: POST\r\n"));
  const std::string response = ask(post("/v1/status", "{}"));
  EXPECT_THAT(response, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"));
  EXPECT_EQ(json::parse(body_of(response))["error"]["code"], "invalid_argument");
}

TEST_F(AdminServerTest, PipelinedRequestsAreAnsweredInOrder) {
  RawClient client(socket_path());
  client.send(std::string(kStatus) + "GET /v1/nothing HTTP/1.1\r\n\r\n" + get("/v1/conns"));
  const std::string all = client.read_all();
  const std::size_t first = all.find("HTTP/1.1 200");
  const std::size_t second = all.find("HTTP/1.1 404");
  const std::size_t third = all.find("HTTP/1.1 200", second);
  EXPECT_EQ(first, 0u);
  EXPECT_LT(second, third);
  EXPECT_THAT(all, EndsWith("0\r\n\r\n"));
}

TEST_F(AdminServerTest, ThousandsOfPipelinedRequestsAreAnswered) {
  RawClient client(socket_path());
  constexpr int kRequests = 20'000;
  std::thread writer([&client] {
    for (int i = 1; i < kRequests; ++i)
      client.send(kStatus);
    client.send(get("/v1/status"));
  });
  const std::string all = client.read_all();
  writer.join();
  int answers = 0;
  for (std::size_t at = 0; (at = all.find("HTTP/1.1 200", at)) != std::string::npos; ++at) {
    ++answers;
  }
  EXPECT_EQ(answers, kRequests);
}

TEST_F(AdminServerTest, AClientThatOnlyShutsDownItsHalfGetsItsAnswer) {
  for (std::uint64_t i = 0; i < 2'000; ++i)
    service_.rows.push_back(make_row(i));
  RawClient client(socket_path());
  client.send("GET /v1/conns HTTP/1.1\r\n\r\n");
  client.shutdown_write();
  EXPECT_THAT(client.read_all(), EndsWith("0\r\n\r\n"));
}

TEST_F(AdminServerTest, GarbageIsRefused) {
  for (const std::string_view bytes : {"hello\r\n\r\n", "\x16\x03\x01", "GET\r\n", "\r\n\r\nX"}) {
    EXPECT_THAT(ask(bytes), StartsWith("HTTP/1.1 400 Bad Request\r\n")) << bytes;
  }
  expect_alive();
}

TEST_F(AdminServerTest, OversizedRequestsAreRefused) {
  const std::string lots(1u << 20, 'x');
  EXPECT_THAT(ask("GET /" + lots), StartsWith("HTTP/1.1 414 "));
  EXPECT_THAT(ask("GET / HTTP/1.1\r\nA: " + lots), StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(ask(post("/v1/migrate", lots)), StartsWith("HTTP/1.1 413 "));
  expect_alive();
}

TEST_F(AdminServerTest, ClientsThatLeaveMidwayLeaveNothing) {
  for (int i = 0; i < 50; ++i) {
    RawClient client(socket_path());
    client.send(i % 2 == 0 ? "GET /v1/sta" : get("/v1/events"));
  }
  EXPECT_TRUE(eventually([this] { return server_->session_count() == 0; }));
  expect_alive();
}

TEST_F(AdminServerTest, AClientThatSaysNothingWaits) {
  RawClient silent(socket_path());
  ASSERT_TRUE(eventually([this] { return server_->session_count() == 1; }));
  expect_alive();
  silent.send(get("/v1/status"));
  EXPECT_THAT(silent.read_all(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(AdminServerTest, SessionsAreLimited) {
  std::vector<std::unique_ptr<RawClient>> clients;
  for (std::size_t i = 0; i < AdminServer::kSessionsMax; ++i) {
    clients.push_back(std::make_unique<RawClient>(socket_path()));
  }
  ASSERT_TRUE(eventually([this] { return server_->session_count() == AdminServer::kSessionsMax; }));
  EXPECT_EQ(ask(get("/v1/status")), "");
  clients.clear();
  ASSERT_TRUE(eventually([this] { return server_->session_count() == 0; }));
  expect_alive();
}

// ---- migrate ----

TEST_F(AdminServerTest, TraceOfAConnection) {
  const std::string response = ask(get("/v1/conns/4f/trace"));
  EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\n"));
  const json trace = json::parse(body_of(response));
  EXPECT_EQ(trace["owner"], "a");
  EXPECT_EQ(trace["moves"].size(), 1u);
  EXPECT_EQ(trace["moves"][0]["asked_by"], "operator");
  on_loop([this] { EXPECT_EQ(service_.traced_ids, std::vector<std::string>{"4f"}); });
  EXPECT_THAT(ask(post("/v1/conns/4f/trace", "{}")), HasSubstr("\r\nAllow: GET\r\n"));
  EXPECT_THAT(ask(get("/v1/conns//trace")), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(ask(get("/v1/conns/4f/5a/trace")), StartsWith("HTTP/1.1 404 "));
  on_loop([this] { service_.traced.error = ErrorCode::kNotFound; });
  EXPECT_THAT(ask(get("/v1/conns/4f/trace")), StartsWith("HTTP/1.1 404 "));
}

TEST_F(AdminServerTest, MigrateWithoutWaitIsAcceptedAtOnce) {
  const std::string response = ask(post("/v1/migrate", R"({"id":"4f","to":"b","timeout":"2s"})"));
  EXPECT_THAT(response, StartsWith("HTTP/1.1 202 Accepted\r\n"));
  on_loop([this] {
    ASSERT_EQ(service_.asked.size(), 1u);
    EXPECT_EQ(service_.asked[0].id, "4f");
    EXPECT_EQ(service_.asked[0].node, "b");
    EXPECT_EQ(service_.asked[0].terms.timeout, 2s);
    service_.unanswered[0](make_report());  // nobody waits for it
  });
  expect_alive();
}

TEST_F(AdminServerTest, MigrateHasAMode) {
  ask(post("/v1/migrate", R"({"id":"4f","to":"b","mode":"hold","timeout":"10m"})"));
  ask(post("/v1/migrate", R"({"id":"4f","to":"b","mode":"drain"})"));
  ask(post("/v1/migrate", R"({"id":"4f","to":"b"})"));
  on_loop([this] {
    ASSERT_EQ(service_.asked.size(), 3u);
    EXPECT_EQ(service_.asked[0].terms.mode, MigrationMode::kHold);
    EXPECT_EQ(service_.asked[0].terms.timeout, 10min);
    EXPECT_EQ(service_.asked[1].terms.mode, MigrationMode::kDrain);
    EXPECT_EQ(service_.asked[2].terms.mode, MigrationMode::kNow);
  });
}

TEST_F(AdminServerTest, MigrateWithWaitAnswersWhenItHasEnded) {
  RawClient client(socket_path());
  client.send(post("/v1/migrate", R"({"id":"4f","to":"b","wait":true})"));
  ASSERT_TRUE(eventually([this] { return service_.unanswered.size() == 1; }));
  on_loop([this] {
    EXPECT_EQ(service_.asked[0].terms.timeout, 5s);
    service_.unanswered[0](make_report());
  });
  const std::string response = client.read_all();
  EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\n"));
  const json report = json::parse(body_of(response));
  EXPECT_EQ(report["outcome"], "completed");
  EXPECT_EQ(report["from"], "a");
  EXPECT_EQ(report["to"], "b");
  EXPECT_EQ(report["epoch"], 2);
  EXPECT_EQ(report["blob_bytes"], 1234);
  EXPECT_EQ(report["freeze_us"], 412);
  EXPECT_EQ(report["stages_us"]["activated"], 422);
}

TEST_F(AdminServerTest, MigrateErrorsHaveTheirStatus) {
  const std::pair<ErrorCode, std::string_view> kinds[] = {
      {ErrorCode::kNotFound, "404"}, {ErrorCode::kRefused, "409"},
      {ErrorCode::kBusy, "409"},     {ErrorCode::kInvalidArgument, "400"},
      {ErrorCode::kDeadline, "504"}, {ErrorCode::kUnavailable, "503"}};
  for (const auto& [code, status] : kinds) {
    on_loop([this, code = code] {
      service_.answer_at_once = MigrateReport{};
      service_.answer_at_once->error = code;
      service_.answer_at_once->reason = "because";
    });
    const std::string response = ask(post("/v1/migrate", R"({"id":"4f","to":"b"})"));
    EXPECT_THAT(response, StartsWith("HTTP/1.1 " + std::string(status) + " "));
    const json answer = json::parse(body_of(response));
    EXPECT_EQ(answer["error"]["code"], to_string(code));
    EXPECT_EQ(answer["error"]["text"], "because");
  }
}

TEST_F(AdminServerTest, BadMigrateRequests) {
  const std::pair<std::string, std::string> requests[] = {
      {"", "body: expected a JSON object"},
      {"[]", "body: expected a JSON object"},
      {"{\"id\":", "body: expected a JSON object"},
      {std::string(60'000, '['), "body: expected a JSON object"},
      {R"({"to":"b"})", "id: expected a connection id or the beginning of one"},
      {R"({"id":"4f"})", "to: expected the name of a node"},
      {R"({"id":4,"to":"b"})",
       "body: expected the keys id, to, wait, mode, application, unbound and timeout, each of its "
       "type"},
      {R"({"id":"4","to":"b","x":1})",
       "body: expected the keys id, to, wait, mode, application, unbound and timeout, each of its "
       "type"},
      {R"({"id":"4","to":"b","timeout":"5"})",
       "timeout: expected a duration from \"10ms\" to \"1h\""},
      {R"({"id":"4","to":"b","unbound":true,"application":"x"})",
       "unbound: expected no application beside it"},
      {R"({"id":"4","to":"b","mode":"soon"})", "mode: expected \"now\", \"drain\" or \"hold\""},
      {R"({"id":"4","to":"b","timeout":"2h"})",
       "timeout: expected a duration from \"10ms\" to \"1h\""}};
  for (const auto& [body, text] : requests) {
    const std::string response = ask(post("/v1/migrate", body));
    EXPECT_THAT(response, StartsWith("HTTP/1.1 400 ")) << body.substr(0, 50);
    EXPECT_EQ(json::parse(body_of(response))["error"]["text"], text);
  }
  on_loop([this] { EXPECT_TRUE(service_.asked.empty()); });
}

// ---- bind, unbind ----

TEST_F(AdminServerTest, BindAndUnbindStay) {
  on_loop([this] { service_.answer_at_once = MigrateReport{}; });
  ask(post("/v1/bind", R"({"id":"4f","application":"echo","timeout":"2s"})"));
  ask(post("/v1/bind", R"({"id":"4f"})"));
  ask(post("/v1/unbind", R"({"id":"4f"})"));
  ask(post("/v1/migrate", R"({"id":"4f","to":"b","application":"echo"})"));
  ask(post("/v1/migrate", R"({"id":"4f","to":"b","unbound":true})"));
  on_loop([this] {
    ASSERT_EQ(service_.asked.size(), 5u);
    EXPECT_EQ(service_.asked[0].node, "");
    EXPECT_EQ(service_.asked[0].terms.application, "echo");
    EXPECT_EQ(service_.asked[0].terms.timeout, 2s);
    EXPECT_EQ(service_.asked[1].terms.application, "");
    EXPECT_FALSE(service_.asked[1].terms.unbound);
    EXPECT_TRUE(service_.asked[2].terms.unbound);
    EXPECT_EQ(service_.asked[3].node, "b");
    EXPECT_EQ(service_.asked[3].terms.application, "echo");
    EXPECT_TRUE(service_.asked[4].terms.unbound);
  });
  EXPECT_THAT(ask(post("/v1/unbind", R"({"id":"4f","application":"x"})")),
              StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(ask(post("/v1/bind", R"({"id":"4f","to":"b"})")), StartsWith("HTTP/1.1 400 "));
}

// ---- drain ----

TEST_F(AdminServerTest, Drain) {
  on_loop([this] {
    service_.drain_reports = {
        {DrainState::kRunning, 3, {{"timed_out", 1}}, 2, 5, {{"app_busy", 3}}, 2s}};
  });
  const std::string response =
      ask(post("/v1/drain", R"({"to":["b","c"],"rate":100,"timeout":"2h"})"));
  EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\n"));
  const json report = json::parse(body_of(response));
  EXPECT_EQ(report["drain"], "running");
  EXPECT_EQ(report["moved"], 3);
  EXPECT_EQ(report["refused"], json({{"timed_out", 1}}));
  EXPECT_EQ(report["under_way"], 2);
  EXPECT_EQ(report["left"], 5);
  EXPECT_EQ(report["blocked"], json({{"app_busy", 3}}));
  EXPECT_EQ(report["took_us"], 2'000'000);
  EXPECT_EQ(json::parse(body_of(ask(get("/v1/drain")))), report);
  ask(post("/v1/drain", ""));
  ask(post("/v1/drain", R"({"stop":true})"));
  on_loop([this] {
    ASSERT_EQ(service_.drains.size(), 2u);
    EXPECT_EQ(service_.drains[0].targets, (std::vector<std::string>{"b", "c"}));
    EXPECT_EQ(service_.drains[0].per_second, 100u);
    EXPECT_EQ(service_.drains[0].timeout, 2h);
    EXPECT_TRUE(service_.drains[1].targets.empty());
    EXPECT_EQ(service_.drains[1].per_second, 0u);
    EXPECT_EQ(service_.drains[1].timeout, 1min);
    EXPECT_EQ(service_.drain_stops, 1);
    service_.drain_error = Error{ErrorCode::kNotFound, "no node is called 'x'"};
  });
  EXPECT_THAT(ask(post("/v1/drain", R"({"to":["x"]})")), StartsWith("HTTP/1.1 404 "));
  const std::string wrong_method = ask("DELETE /v1/drain HTTP/1.1\r\nHost: migd\r\n\r\n");
  EXPECT_THAT(wrong_method, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(wrong_method, HasSubstr("Allow: GET, POST\r\n"));
}

TEST_F(AdminServerTest, BadDrainRequests) {
  const std::string types = "body: expected the keys to, rate, timeout and stop, each of its type";
  const std::pair<std::string, std::string> requests[] = {
      {"[]", "body: expected a JSON object"},
      {R"({"to":"b"})", types},
      {R"({"to":["b",1]})", types},
      {R"({"rate":-1})", types},
      {R"({"rate":1000001})", "rate: expected at most 1000000"},
      {R"({"stop":1})", types},
      {R"({"x":1})", types},
      {R"({"timeout":"25h"})", "timeout: expected a duration from \"10ms\" to \"24h\""}};
  for (const auto& [body, text] : requests) {
    const std::string response = ask(post("/v1/drain", body));
    EXPECT_THAT(response, StartsWith("HTTP/1.1 400 ")) << body;
    EXPECT_EQ(json::parse(body_of(response))["error"]["text"], text);
  }
  on_loop([this] { EXPECT_TRUE(service_.drains.empty()); });
}

TEST_F(AdminServerTest, AClientThatLeavesDoesNotMissItsAnswer) {
  {
    RawClient client(socket_path());
    client.send(post("/v1/migrate", R"({"id":"4f","to":"b","wait":true})"));
    ASSERT_TRUE(eventually([this] { return service_.unanswered.size() == 1; }));
  }
  on_loop([this] { service_.unanswered[0](make_report()); });
  EXPECT_TRUE(eventually([this] { return server_->session_count() == 0; }));
  expect_alive();
}

TEST_F(AdminServerTest, AnAnswerAfterTheEndOfTheServerIsForNobody) {
  RawClient client(socket_path());
  client.send(post("/v1/migrate", R"({"id":"4f","to":"b","wait":true})"));
  ASSERT_TRUE(eventually([this] { return service_.unanswered.size() == 1; }));
  end_daemon();
  service_.unanswered[0](make_report());
  service_.emit(PeerUp{NodeId{2}, Boot{1}}, Instant{});
  EXPECT_EQ(client.read_all(), "");
}

// ---- events ----

TEST_F(AdminServerTest, EventsAreOneLineEach) {
  RawClient client(socket_path());
  client.send(get("/v1/events"));
  const std::string head = client.read_until("watching");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
  on_loop([this] {
    MigrationFinished finished;
    finished.tenure = {{NodeId{1}, Boot{7}, 3}, Epoch{2}};
    finished.source = NodeId{1};
    finished.target = NodeId{9};
    finished.reason = "line\nbreak";
    finished.stage_at[1] = 15us;
    service_.emit(finished, Instant{5ms});
  });
  const std::string chunk = client.read_until("}\n\r\n");
  const json event = json::parse(chunk.substr(chunk.find('{')));
  EXPECT_EQ(event["event"], "migration_finished");
  EXPECT_EQ(event["at_us"], 5000);
  EXPECT_EQ(event["connection"], (ConnectionId{NodeId{1}, Boot{7}, 3}.to_string()));
  EXPECT_EQ(event["epoch"], 2);
  EXPECT_EQ(event["source"], "a");  // by name
  EXPECT_EQ(event["target"], "9");  // a node that is not in the configuration
  EXPECT_EQ(event["blob_bytes"], 0);
  EXPECT_EQ(event["reason"], "line\nbreak");
}

TEST_F(AdminServerTest, TwoWatchersHearTheSame) {
  RawClient one(socket_path()), two(socket_path());
  for (RawClient* client : {&one, &two}) {
    client->send(get("/v1/events"));
    client->read_until("watching");
  }
  on_loop([this] { service_.emit(PeerUp{NodeId{2}, Boot{1}}, Instant{}); });
  for (RawClient* client : {&one, &two}) {
    EXPECT_THAT(client->read_until("peer_up"), HasSubstr(R"("event":"peer_up")"));
  }
}

TEST_F(AdminServerTest, AWatcherThatDoesNotReadLosesEventsAndIsTold) {
  RawClient client(socket_path());
  client.send(get("/v1/events"));
  client.read_until("watching");
  const auto emit_many = [this] {
    for (int i = 0; i < 1000; ++i) {
      service_.emit(PeerDown{NodeId{2}, std::string(1000, 'x')}, Instant{});
    }
  };
  ASSERT_TRUE(eventually([&] {
    emit_many();
    return server_->events_dropped() > 100;
  }));
  // Once it reads again, it hears of its loss.
  bool told = false;
  for (int i = 0; i < 1000 && !told; ++i) {
    told = client.read_some().find("events_dropped") != std::string::npos;
    on_loop([this] { service_.emit(PeerUp{NodeId{2}, Boot{1}}, Instant{}); });
  }
  EXPECT_TRUE(told);
}

TEST_F(AdminServerTest, WhatAWatcherSaysIsIgnored) {
  RawClient client(socket_path());
  client.send(get("/v1/events"));
  client.read_until("watching");
  client.send(std::string(1u << 20, 'x'));
  on_loop([this] { service_.emit(PeerUp{NodeId{2}, Boot{1}}, Instant{}); });
  EXPECT_THAT(client.read_until("peer_up"), HasSubstr("peer_up"));
}

}  // namespace
}  // namespace migd
