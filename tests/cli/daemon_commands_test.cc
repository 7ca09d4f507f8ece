// The commands against an admin server with a fake node behind it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/cli/admin_fixture.h"
#include "tests/cli/run_cli.h"

namespace migd {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class DaemonCommands : public AdminFixture {
 protected:
  CliResult migd(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"-s", socket_path()});
    return run_migd(arguments);
  }
  void answer(std::optional<ErrorCode> error, std::string reason) {
    on_loop([&] {
      service_.answer_at_once = make_report();
      service_.answer_at_once->error = error;
      service_.answer_at_once->reason = std::move(reason);
    });
  }
};

TEST_F(DaemonCommands, Status) {
  on_loop([this] {
    service_.report.node = "a";
    service_.report.id = NodeId{1};
    service_.report.roles = {true, false, true};
    service_.report.uptime = 4min + 10s;
    service_.report.link = "tun migd0";
    service_.report.connections = 5;
    service_.report.migrations.completed = 20;
    service_.report.peers = {{"b", NodeId{2}, {false, false, true}, true, 250us, {7, 505, false}},
                             {"c", NodeId{3}, {}, false, {}, {}}};
    service_.report.services = {{"web", {*Endpoint::parse("10.77.100.1:80")}}};
  });
  EXPECT_EQ(migd({"status"}).out,
            "a (id 1), ready: forwarder,host, tun migd0, up 4m10s\n"
            "connections: 5 (0 half open, 0 frozen); mappings: 0; drops: 0\n"
            "migrations: 20 completed, 0 refused, 0 aborted, 0 arrived\n"
            "\n"
            "PEER  ID  ROLES  STATE  RTT    CONNECTIONS  BUSY\n"
            "b     2   host   up     250us  7            50%\n"
            "c     3          down   -      -            -\n"
            "\n"
            "SERVICE  VIP\n"
            "web      10.77.100.1:80\n");
  const CliResult as_json = migd({"status", "--json"});
  EXPECT_EQ(line_count(as_json.out), 1u);
  EXPECT_EQ(json::parse(as_json.out)["migrations"]["completed"], 20);
}

TEST_F(DaemonCommands, ConnsFiltersAndFormats) {
  on_loop([this] {
    service_.rows = {make_row(1), make_row(2, "echo", "b")};
    service_.rows[1].application = "";
    service_.rows[1].blockers = "moving";
    service_.rows[1].state = "CLOSE_WAIT";
  });
  const CliResult table = migd({"conns"});
  EXPECT_EQ(table.exit_code, kExitDone);
  EXPECT_EQ(line_count(table.out), 3u);
  EXPECT_THAT(table.out, HasSubstr("  10.77.99.2:40001  10.77.100.1:80  web      files        "
                                   "ESTABLISHED  120  4.0M  5.0s  350us\n"));
  const auto ids = [this](std::vector<std::string> filter) {
    filter.insert(filter.begin(), "conns");
    filter.push_back("--json");
    const CliResult result = migd(filter);
    EXPECT_EQ(line_count(result.out), 1u);
    std::vector<std::string> out;
    const json answer_json = json::parse(result.out);
    for (const json& row : answer_json["connections"])
      out.push_back(row["id"]);
    return out;
  };
  const std::string one = make_row(1).id.to_string();
  const std::string two = make_row(2).id.to_string();
  EXPECT_EQ(ids({}), (std::vector{one, two}));
  EXPECT_EQ(ids({"--service", "echo"}), (std::vector{two}));
  EXPECT_EQ(ids({"--owner", "a"}), (std::vector{one}));
  EXPECT_EQ(ids({"--application", "files"}), (std::vector{one}));
  EXPECT_EQ(ids({"--state", "CLOSE_WAIT", "--service", "web"}), std::vector<std::string>{});
}

TEST_F(DaemonCommands, Metrics) {
  on_loop([this] {
    service_.metrics =
        "# HELP migd_x_total things\nmigd_x_total{why=\"no way\"} 3\nmigd_y_seconds 0.25\n";
  });
  EXPECT_THAT(migd({"metrics"}).out, StartsWith("# HELP migd_x_total things\n"));
  const CliResult as_json = migd({"metrics", "--json"});
  EXPECT_EQ(line_count(as_json.out), 1u);
  const json metrics = json::parse(as_json.out);
  EXPECT_EQ(metrics["migd_x_total{why=\"no way\"}"], 3);
  EXPECT_EQ(metrics["migd_y_seconds"], 0.25);
}

TEST_F(DaemonCommands, MigrateAndWait) {
  answer(std::nullopt, "");
  const CliResult result = migd({"migrate", "4f", "--to", "b", "--wait", "--timeout", "7s"});
  EXPECT_EQ(result.exit_code, kExitDone);
  EXPECT_EQ(result.out, make_report().connection.to_string() +
                            " moved from a to b: epoch 2, blob of 1234 bytes, frozen 412 us\n"
                            "\n"
                            "STAGE      AT (us)\n"
                            "requested  0\n"
                            "frozen     10\n"
                            "activated  422\n");
  on_loop([this] {
    EXPECT_EQ(service_.asked.back().id, "4f");
    EXPECT_EQ(service_.asked.back().node, "b");
    EXPECT_EQ(service_.asked.back().terms.timeout, 7s);
  });
  const CliResult as_json = migd({"migrate", "4f", "--to", "b", "--wait", "--json"});
  EXPECT_EQ(line_count(as_json.out), 1u);
  EXPECT_EQ(json::parse(as_json.out)["stages_us"]["activated"], 422);
}

TEST_F(DaemonCommands, BindAndUnbind) {
  MigrateReport here = make_report();
  here.to = here.from;
  on_loop([&] { service_.answer_at_once = here; });
  const CliResult result = migd({"unbind", "4f"});
  EXPECT_EQ(result.exit_code, kExitDone);
  EXPECT_EQ(result.out, here.connection.to_string() + " done at a\n");
  EXPECT_EQ(migd({"bind", "4f", "--application", "echo", "--timeout", "3s"}).exit_code, kExitDone);
  EXPECT_EQ(line_count(migd({"bind", "4f", "--json"}).out), 1u);
  EXPECT_EQ(migd({"migrate", "4f", "--to", "b", "--wait", "--unbound"}).exit_code, kExitDone);
  on_loop([this] {
    ASSERT_EQ(service_.asked.size(), 4u);
    EXPECT_TRUE(service_.asked[0].terms.unbound);
    EXPECT_EQ(service_.asked[1].terms.application, "echo");
    EXPECT_EQ(service_.asked[1].terms.timeout, 3s);
    EXPECT_EQ(service_.asked[1].node, "");
    EXPECT_EQ(service_.asked[3].node, "b");
    EXPECT_TRUE(service_.asked[3].terms.unbound);
  });
}

TEST_F(DaemonCommands, MigrateHasAMode) {
  migd({"migrate", "4f", "--to", "b", "--mode", "hold", "--timeout", "10m"});
  on_loop([this] {
    EXPECT_EQ(service_.asked.back().terms.mode, MigrationMode::kHold);
    EXPECT_EQ(service_.asked.back().terms.timeout, 10min);
  });
}

TEST_F(DaemonCommands, Drain) {
  on_loop([this] {
    service_.drain_reports = {{DrainState::kRunning, 0, {}, 2, 40, {{"moving", 2}}, 0s}};
  });
  const CliResult result = migd({"drain", "--to", "b", "c", "--rate", "100", "--timeout", "7s"});
  EXPECT_EQ(result.exit_code, kExitDone);
  EXPECT_EQ(result.out, "running: 0 moved, 40 left (moving 2) after 0us\n");
  on_loop([this] {
    EXPECT_EQ(service_.drains.back().targets, (std::vector<std::string>{"b", "c"}));
    EXPECT_EQ(service_.drains.back().per_second, 100u);
    EXPECT_EQ(service_.drains.back().timeout, 7s);
  });
  EXPECT_EQ(migd({"drain"}).exit_code, kExitDone);
  on_loop([this] { EXPECT_EQ(service_.drains.back().timeout, 1min); });
  EXPECT_EQ(migd({"drain", "--stop"}).exit_code, kExitDone);
  on_loop([this] {
    EXPECT_EQ(service_.drains.size(), 2u);
    EXPECT_EQ(service_.drain_stops, 1);
    service_.drain_error = Error{ErrorCode::kNotFound, "no node is called 'x'"};
  });
  const CliResult refused = migd({"drain", "--to", "x"});
  EXPECT_EQ(refused.exit_code, kExitFailed);
  EXPECT_EQ(refused.err, "migd: no node is called 'x'\n");
}

TEST_F(DaemonCommands, DrainAndWait) {
  const DrainReport running{DrainState::kRunning, 30, {}, 2, 10, {{"app_busy", 8}}, 100ms};
  const std::pair<DrainState, int> ends[] = {{DrainState::kDone, kExitDone},
                                             {DrainState::kLeft, kExitFailed},
                                             {DrainState::kStopped, kExitFailed},
                                             {DrainState::kDeadline, kExitDeadline}};
  for (const auto& [state, exit_code] : ends) {
    const DrainReport end{state, 38, {{"timed_out", 3}, {"moving", 1}}, 0, 2, {{"app_busy", 2}},
                          2s};
    on_loop([&] { service_.drain_reports = {running, running, end}; });
    const CliResult result = migd({"drain", "--wait"});
    EXPECT_EQ(result.exit_code, exit_code);
    EXPECT_EQ(result.out, "running: 30 moved, 10 left (app_busy 8) after 100.0ms\n" +
                              std::string(to_string(state)) +
                              ": 38 moved, 2 left (app_busy 2) after 2.0s\n"
                              "refused (moving 1, timed_out 3)\n");
    on_loop([&] { service_.drain_reports = {running, end}; });
    const CliResult as_json = migd({"drain", "--wait", "--json"});
    EXPECT_EQ(as_json.exit_code, exit_code);
    EXPECT_EQ(line_count(as_json.out), 1u);
    EXPECT_EQ(json::parse(as_json.out)["drain"], to_string(state));
  }
}

TEST_F(DaemonCommands, Trace) {
  const std::string id = make_trace().connection.to_string();
  const CliResult result = migd({"trace", "4f"});
  EXPECT_EQ(result.exit_code, kExitDone);
  EXPECT_EQ(result.out,
            id + " of 10.77.99.2:40001, at a, epoch 3: 5 moves\n"
                 "\n"
                 "4 older ones, then\n"
                 "EPOCH  FROM  TO  BY  ASKED BY  MODE  BYTES  PREPARED  FROZEN  AT SOURCE  "
                 "CROSSING  AT TARGET  FIRST OUT  FIRST IN  AGO\n"
                 "3      b     a   f1  operator  now   720    310us     115us   20us       "
                 "90us      5us        12us       -         4.0s\n");
  on_loop([this] { EXPECT_EQ(service_.traced_ids.back(), "4f"); });
  const CliResult as_json = migd({"trace", "4f", "--json"});
  EXPECT_EQ(line_count(as_json.out), 1u);
  const json trace = json::parse(as_json.out);
  EXPECT_EQ(trace["older_moves"], 4);
  EXPECT_EQ(trace["moves"][0]["frozen_us"], 115);
  EXPECT_EQ(trace["moves"][0]["first_out_us"], 12);
  EXPECT_TRUE(trace["moves"][0]["first_in_us"].is_null());
}

TEST_F(DaemonCommands, TraceOfOneThatHasNeverMoved) {
  on_loop([this] {
    service_.traced.moves.clear();
    service_.traced.older_moves = 0;
  });
  EXPECT_THAT(migd({"trace", "4f"}).out, HasSubstr("it has never moved\n"));
}

TEST_F(DaemonCommands, TraceOfNothing) {
  on_loop([this] {
    service_.traced.error = ErrorCode::kNotFound;
    service_.traced.reason = "no connection has an id that begins with '4f'";
  });
  const CliResult result = migd({"trace", "4f"});
  EXPECT_EQ(result.exit_code, kExitFailed);
  EXPECT_EQ(result.err, "migd: no connection has an id that begins with '4f'\n");
  for (const std::string& id : {std::string("4g"), std::string("4f/x"), std::string(33, 'a')}) {
    EXPECT_THAT(migd({"trace", id}).err, HasSubstr("is no connection id"));
  }
}

TEST_F(DaemonCommands, MigrateWithoutWait) {
  const CliResult result = migd({"migrate", "4f", "--to", "b"});
  EXPECT_EQ(result.exit_code, kExitDone);
  EXPECT_EQ(result.out, "accepted\n");
  EXPECT_EQ(migd({"migrate", "4f", "--to", "b", "--json"}).out, "{\"outcome\":\"accepted\"}\n");
}

TEST_F(DaemonCommands, MigrateRefused) {
  answer(ErrorCode::kRefused, "the prefix '4f' is that of 2 connections");
  const CliResult result = migd({"migrate", "4f", "--to", "b", "--wait"});
  EXPECT_EQ(result.exit_code, kExitFailed);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "migd: the prefix '4f' is that of 2 connections\n");
  const CliResult as_json = migd({"migrate", "4f", "--to", "b", "--json"});
  EXPECT_EQ(as_json.exit_code, kExitFailed);
  EXPECT_EQ(line_count(as_json.out), 1u);
  EXPECT_EQ(json::parse(as_json.out)["error"]["code"], "refused");
  EXPECT_EQ(json::parse(as_json.out)["from"], "a");
}

TEST_F(DaemonCommands, MigrateExitCodes) {
  const std::pair<ErrorCode, int> codes[] = {{ErrorCode::kNotFound, kExitFailed},
                                             {ErrorCode::kUnavailable, kExitFailed},
                                             {ErrorCode::kBusy, kExitFailed},
                                             {ErrorCode::kInvalidArgument, kExitFailed},
                                             {ErrorCode::kDeadline, kExitDeadline}};
  for (const auto& [error, exit_code] : codes) {
    answer(error, "because");
    const CliResult result = migd({"migrate", "4f", "--to", "b", "--wait"});
    EXPECT_EQ(result.exit_code, exit_code) << to_string(error);
    EXPECT_EQ(result.err, "migd: because\n");
  }
}

TEST_F(DaemonCommands, ADaemonThatHangsIsADeadline) {
  stop_answering();
  const CliResult result = migd({"migrate", "4f", "--to", "b", "--wait", "--timeout", "10ms"});
  EXPECT_EQ(result.exit_code, kExitDeadline);
  EXPECT_EQ(result.err, "migd: the daemon did not answer in time\n");
  go_on();
}

TEST_F(DaemonCommands, ADaemonThatEndsMidway) {
  std::thread ender([this] {
    EXPECT_TRUE(eventually([this] { return !service_.asked.empty(); }));
    end_daemon();
  });
  const CliResult result = migd({"migrate", "4f", "--to", "b", "--wait"});
  ender.join();
  EXPECT_EQ(result.exit_code, kExitUnreachable);
  EXPECT_EQ(line_count(result.err), 1u);
}

// A command that listens, while `emit` is called again and again: when it begins to hear is not
// known.
class Events : public DaemonCommands {
 protected:
  CliResult listen(std::vector<std::string> arguments, const std::function<void()>& emit) {
    std::atomic<bool> ended = false;
    std::thread emitter([&] {
      while (!ended)
        on_loop(emit);
    });
    arguments.insert(arguments.begin(), "events");
    CliResult result = migd(arguments);
    ended = true;
    emitter.join();
    return result;
  }
  void emit_peer_down() { service_.emit(PeerDown{NodeId{2}, "no\nheartbeat"}, Instant{}); }
};

TEST_F(Events, AsJson) {
  const CliResult result = listen({"--json", "--count", "5"}, [this] { emit_peer_down(); });
  EXPECT_EQ(result.exit_code, kExitDone);
  EXPECT_EQ(line_count(result.out), 5u);
  std::istringstream lines(result.out);
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(json::parse(line)["event"], "watching");
  std::getline(lines, line);
  EXPECT_EQ(json::parse(line)["event"], "peer_down");
  EXPECT_EQ(json::parse(line)["peer"], "b");
}

TEST_F(Events, ForPeople) {
  const CliResult result = listen({"-f", "--count", "2"}, [this] { emit_peer_down(); });
  EXPECT_EQ(line_count(result.out), 2u);
  EXPECT_THAT(result.out, HasSubstr(" watching node=a\n"));
  EXPECT_THAT(result.out, HasSubstr(" peer_down peer=b reason=no?heartbeat\n"));
}

TEST_F(Events, OfHeartbeatsAreForThoseWhoAsk) {
  const auto heard = [this](const std::string& how) {
    const CliResult result = listen({"--follow", "--count", "9", how}, [this] {
      service_.emit(PeerLoadReported{NodeId{2}, {}}, Instant{});
      service_.emit(PeerUp{NodeId{2}, Boot{1}}, Instant{});
    });
    return result.out;
  };
  EXPECT_THAT(heard("--all"), HasSubstr(" peer_load_reported peer=b "));
  EXPECT_THAT(heard("--follow"), Not(HasSubstr("peer_load_reported")));
  EXPECT_THAT(heard("--json"), Not(HasSubstr("peer_load_reported")));
}

TEST_F(DaemonCommands, EventsEndWithTheDaemon) {
  std::thread ender([this] {
    EXPECT_TRUE(eventually([this] { return server_->session_count() == 1; }));
    end_daemon();
  });
  const CliResult result = migd({"events"});
  ender.join();
  EXPECT_EQ(result.exit_code, kExitUnreachable);
}

}  // namespace
}  // namespace migd
