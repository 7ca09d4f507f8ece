#include "cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/keys.h"
#include "tests/cli/config_text.h"
#include "tests/cli/run_cli.h"
#include "tests/support/temp_dir.h"

namespace migd {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

struct BadUsage {
  std::vector<std::string> arguments;
  std::string_view line;
};

class UsageError : public testing::TestWithParam<BadUsage> {};

TEST_P(UsageError, IsOneLineAndExitCode2) {
  const CliResult result = run_migd(GetParam().arguments);
  EXPECT_EQ(result.exit_code, kExitUsage);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "migd: " + std::string(GetParam().line) + " (see migd --help)\n");
}

INSTANTIATE_TEST_SUITE_P(
    All, UsageError,
    testing::Values(
        BadUsage{{}, "a command is required"},
        BadUsage{{"stats"}, "there is no command 'stats', did you mean 'status'?"},
        BadUsage{{"quack"}, "there is no command 'quack'"},
        BadUsage{{"a\nb"}, "there is no command 'a?b'"},
        BadUsage{{"--bogus", "status"}, "The following argument was not expected: --bogus"},
        BadUsage{{"status", "extra"}, "The following argument was not expected: extra"},
        BadUsage{{"status", "--json=yes"}, "json was given a disallowed flag override"},
        BadUsage{{"-s"}, "--socket: 1 required SOCKET missing"},
        BadUsage{{"run"}, "--config is required"},
        BadUsage{{"run", "-c", "x", "--ready-fd", "-1"},
                 "--ready-fd: Value -1 not in range 0 to 1048576"},
        BadUsage{{"run", "-c", "x", "--ready-fd", "abc"},
                 "--ready-fd: Value abc not in range 0 to 1048576"},
        BadUsage{{"check"}, "--config is required"}, BadUsage{{"migrate"}, "id is required"},
        BadUsage{{"migrate", "4f"}, "--to is required"}, BadUsage{{"trace"}, "id is required"},
        BadUsage{{"migrate", "4f", "5a", "--to", "b"},
                 "The following argument was not expected: 5a"},
        BadUsage{{"migrate", "4f", "--to", "b", "--timeout", "5"},
                 "--timeout: expected a duration from 10ms to 1h, got '5'"},
        BadUsage{{"migrate", "4f", "--to", "b", "--timeout", "2h"},
                 "--timeout: expected a duration from 10ms to 1h, got '2h'"},
        BadUsage{{"migrate", "4f", "--to", "b", "--mode", "soon"},
                 "--mode: expected now, drain or hold, got 'soon'"},
        BadUsage{{"migrate", "4f", "--to", "b", "--unbound", "--application", "x"},
                 "--application excludes --unbound"},
        BadUsage{{"bind"}, "id is required"},
        BadUsage{{"unbind", "4f", "--application", "x"},
                 "The following arguments were not expected: x --application"},
        BadUsage{{"drain", "h2"}, "The following argument was not expected: h2"},
        BadUsage{{"drain", "--rate", "0"}, "--rate: Value 0 not in range 1 to 1000000"},
        BadUsage{{"drain", "--timeout", "25h"},
                 "--timeout: expected a duration from 10ms to 24h, got '25h'"},
        BadUsage{{"events", "--count", "0"}, "--count: Value 0 not in range 1 to 1000000000"},
        BadUsage{{"events", "--count", "-3"}, "--count: Value -3 not in range 1 to 1000000000"}));

TEST(CommandLine, HelpIsForPeople) {
  const CliResult all = run_migd({"--help"});
  EXPECT_EQ(all.exit_code, kExitDone);
  EXPECT_THAT(all.out, HasSubstr("migrate"));
  EXPECT_EQ(all.err, "");
  const CliResult one = run_migd({"migrate", "--help"});
  EXPECT_EQ(one.exit_code, kExitDone);
  EXPECT_THAT(one.out, HasSubstr("Usage: migd migrate [OPTIONS] id"));
}

TEST(CommandLine, RunHandsItsOptionsToTheDaemon) {
  RunOptions seen;
  const RunDaemon daemon = [&seen](const RunOptions& options, Console&) {
    seen = options;
    return 42;
  };
  EXPECT_EQ(run_migd({"run", "-c", "a.toml", "--ready-fd", "7"}, daemon).exit_code, 42);
  EXPECT_EQ(seen.config_path, "a.toml");
  EXPECT_EQ(seen.ready_fd, 7);
  EXPECT_EQ(run_migd({"run", "--config", "b.toml"}, daemon).exit_code, 42);
  EXPECT_EQ(seen.config_path, "b.toml");
}

TEST(CommandLine, Version) {
  EXPECT_EQ(run_migd({"version"}).out, "migd " MIGD_VERSION "\n");
  EXPECT_EQ(run_migd({"version", "--json"}).out, "{\"version\":\"" MIGD_VERSION "\"}\n");
}

TEST(CommandLine, NoDaemonIsExitCode3) {
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"status"},
                                             {"conns"},
                                             {"metrics"},
                                             {"migrate", "4f", "--to", "b"},
                                             {"bind", "4f"},
                                             {"unbind", "4f"},
                                             {"trace", "4f"},
                                             {"events"}}) {
    std::vector<std::string> arguments = {"-s", "/nowhere/admin.sock"};
    arguments.insert(arguments.end(), command.begin(), command.end());
    const CliResult result = run_migd(arguments);
    EXPECT_EQ(result.exit_code, kExitUnreachable) << command[0];
    EXPECT_EQ(result.err, "migd: no daemon at /nowhere/admin.sock (No such file or directory)\n");
    EXPECT_EQ(result.out, "");
  }
  const CliResult result = run_migd({"status", "--json", "-s", "/nowhere/admin.sock"});
  EXPECT_EQ(json::parse(result.out)["error"]["code"], "unavailable");
  EXPECT_EQ(line_count(result.out), 1u);
}

TEST(CommandLine, NoDaemonBehindAFileOrALongName) {
  const TempDir dir;
  EXPECT_EQ(run_migd({"-s", dir.write("file", ""), "status"}).exit_code, kExitUnreachable);
  EXPECT_EQ(run_migd({"-s", std::string(200, 'x'), "status"}).exit_code, kExitUnreachable);
}

TEST(CommandLine, CheckSaysWhatIsWrong) {
  const TempDir dir;
  const std::string path = dir.write("a.toml", replaced(kFullConfig, "id = 1\n", "id = 0\n"));
  const std::string line = path + ":5: node.id: expected an integer from 1 to 65534, got 0";
  const CliResult result = run_migd({"check", "-c", path});
  EXPECT_EQ(result.exit_code, kExitUsage);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, line + "\n");
  const CliResult as_json = run_migd({"check", "-c", path, "--json"});
  EXPECT_EQ(as_json.exit_code, kExitUsage);
  EXPECT_EQ(json::parse(as_json.out),
            (json{{"ok", false}, {"error", line}, {"warnings", json::array()}}));
}

TEST(CommandLine, CheckSaysOkAndWarns) {
  const TempDir dir;
  const std::string path = dir.write("a.toml", std::string(kFullConfig));
  const CliResult result = run_migd({"check", "-c", path});
  EXPECT_EQ(result.exit_code, kExitDone);
  EXPECT_THAT(result.out, StartsWith(path + ": ok\nwarning: "));
  EXPECT_THAT(result.out, HasSubstr(dir.file("a.key") + " is not there"));
  EXPECT_THAT(result.out, HasSubstr("warning: host: there is no device migd0"));
  const CliResult as_json = run_migd({"check", "-c", path, "--json"});
  EXPECT_EQ(line_count(as_json.out), 1u);
  const json answer = json::parse(as_json.out);
  EXPECT_EQ(answer["ok"], true);
  EXPECT_GE(answer["warnings"].size(), 2u);
}

TEST(CommandLine, KeygenMakesAPair) {
  const TempDir dir;
  const CliResult result =
      run_migd({"keygen", "--out", dir.file("a.key"), "--public", dir.file("a.pub")});
  EXPECT_EQ(result.exit_code, kExitDone);
  EXPECT_EQ(result.err, "");
  const Result<SecretKey> secret = read_key_file(dir.file("a.key"));
  ASSERT_TRUE(secret);
  EXPECT_EQ(result.out, key_to_text(public_key_of(*secret)) + "\n");
  EXPECT_EQ(read_key_file(dir.file("a.pub")), public_key_of(*secret));
  struct stat status {};
  ASSERT_EQ(stat(dir.file("a.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);

  const CliResult again = run_migd({"keygen", "--out", dir.file("a.key")});
  EXPECT_EQ(again.exit_code, kExitFailed);
  EXPECT_EQ(again.err, "migd: " + dir.file("a.key") + ": File exists\n");
  EXPECT_EQ(read_key_file(dir.file("a.key")), *secret);
}

TEST(CommandLine, KeygenAsJson) {
  const TempDir dir;
  const CliResult result = run_migd({"keygen", "--out", dir.file("a.key"), "--json"});
  const json answer = json::parse(result.out);
  EXPECT_EQ(answer["secret_file"], dir.file("a.key"));
  EXPECT_TRUE(parse_public_key(answer["public_key"].get<std::string>()));
}

}  // namespace
}  // namespace migd
