// The daemon itself, on a packet link in a network namespace of the test's own.
#include "cli/daemon.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/cli/run_cli.h"
#include "tests/support/namespaces.h"
#include "tests/support/temp_dir.h"

namespace migd {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kConfig = R"(config_version = 1
node = { name = "a", id = 1, roles = ["forwarder", "classifier", "host"] }
link = { kind = "packet", name = "migd0", device = "migd0p", pcap = "a.pcap" }
admin = { socket = "run/a.sock" }
log = { file = "a.log" }
tunnel = { address = ["10.77.200.1"] }
[[service]]
name = "echo"
vip = ["10.77.100.1:7"]
classify = { protocol = "none" }
application = "echo"
default = "node:a"
[[application]]
name = "echo"
kind = "echo"
)";

CliResult run_here(const RunOptions& options) {
  std::ostringstream out, err;
  Console console{out, err};
  const int exit_code = run_daemon(options, console);
  return {exit_code, out.str(), err.str()};
}

void make_devices() {
  test::run("ip link set lo up && ip address add 10.77.1.2/32 dev lo");
  test::run("ip link add migd0 type veth peer name migd0p");
  test::run("ip link set migd0p arp off multicast off up");
  test::run("ip link set migd0 arp off multicast off up");
  test::run("ip route add 10.77.100.1/32 dev migd0 src 10.77.1.2");
}

// A daemon in a process of its own.
class Running {
 public:
  explicit Running(const std::string& config_path) {
    int ready[2];
    EXPECT_EQ(pipe(ready), 0);
    process_ = fork();
    if (process_ == 0) {
      close(ready[0]);
      _exit(run_here({config_path, ready[1]}).exit_code);
    }
    close(ready[1]);
    char answer = 0;
    EXPECT_EQ(read(ready[0], &answer, 1), 1);
    EXPECT_EQ(answer, '\n');
    EXPECT_EQ(read(ready[0], &answer, 1), 0);  // and closed
    close(ready[0]);
  }
  ~Running() {
    if (process_ > 0) end(SIGKILL);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  // The exit code, or minus the signal.
  int end(int signal_number) {
    kill(process_, signal_number);
    int status = 0;
    waitpid(std::exchange(process_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t process_;
};

int connect_to_echo() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(7);
  inet_pton(AF_INET, "10.77.100.1", &address.sin_addr);
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return fd;
}

std::string echoed(int fd, std::string_view text) {
  EXPECT_EQ(send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  std::string answer(text.size(), '\0');
  EXPECT_EQ(recv(fd, answer.data(), answer.size(), MSG_WAITALL), static_cast<ssize_t>(text.size()));
  return answer;
}

class DaemonTest : public testing::Test {
 protected:
  TempDir dir_;
  std::string config_ = dir_.write("a.toml", std::string(kConfig));
  std::string socket_ = dir_.file("run/a.sock");
};

TEST_F(DaemonTest, ServesUntilItIsToldToEnd) {
  test::in_network_namespace([this] {
    make_devices();
    Running daemon(config_);
    const int client = connect_to_echo();
    EXPECT_EQ(echoed(client, "hello"), "hello");

    const CliResult status = run_migd({"--socket", socket_, "status", "--json"});
    EXPECT_EQ(json::parse(status.out)["node"], "a");
    EXPECT_EQ(json::parse(status.out)["connections"], 1);
    const CliResult conns = run_migd({"-s", socket_, "conns", "--json", "--state", "ESTABLISHED"});
    EXPECT_EQ(json::parse(conns.out)["connections"][0]["application"], "echo");
    const CliResult moved = run_migd({"-s", socket_, "migrate", "00", "--to", "a", "--wait"});
    EXPECT_EQ(moved.exit_code, kExitFailed);
    EXPECT_EQ(line_count(moved.err), 1u);

    EXPECT_EQ(daemon.end(SIGTERM), kExitDone);
    char rest = 0;
    EXPECT_EQ(recv(client, &rest, 1, 0), -1);
    EXPECT_EQ(errno, ECONNRESET);
    EXPECT_FALSE(std::filesystem::exists(socket_));
    EXPECT_GT(std::filesystem::file_size(dir_.file("a.pcap")), 24u + 5 * 56u);
    close(client);
  });
}

TEST_F(DaemonTest, ASecondOneOfTheSameConfigurationIsRefused) {
  test::in_network_namespace([this] {
    make_devices();
    const Running daemon(config_);
    const CliResult second = run_here({config_, std::nullopt});
    EXPECT_EQ(second.exit_code, kExitFailed);
    EXPECT_EQ(second.err, "migd: admin socket: " + socket_ + " is served by another process\n");
    EXPECT_EQ(run_migd({"-s", socket_, "status"}).exit_code, kExitDone);
  });
}

TEST_F(DaemonTest, OneThatWasKilledIsFollowedByAnother) {
  test::in_network_namespace([this] {
    make_devices();
    EXPECT_EQ(Running(config_).end(SIGKILL), -SIGKILL);
    EXPECT_EQ(run_migd({"-s", socket_, "status"}).exit_code, kExitUnreachable);
    Running next(config_);
    EXPECT_EQ(run_migd({"-s", socket_, "status"}).exit_code, kExitDone);
    EXPECT_EQ(next.end(SIGINT), kExitDone);
  });
}

TEST_F(DaemonTest, ADeviceThatIsNotThereIsSaid) {
  test::in_network_namespace([this] {
    const CliResult result = run_here({config_, std::nullopt});
    EXPECT_EQ(result.exit_code, kExitUsage);
    EXPECT_THAT(result.err, HasSubstr("migd0p"));
    EXPECT_EQ(line_count(result.err), 1u);
    EXPECT_FALSE(std::filesystem::exists(socket_));
  });
}

TEST_F(DaemonTest, AWrongConfigurationStartsNothing) {
  dir_.write("a.toml", std::string(kConfig) + "rooot = 1\n");
  const CliResult result = run_here({config_, std::nullopt});
  EXPECT_EQ(result.exit_code, kExitUsage);
  EXPECT_EQ(result.err, config_ + ":16: application.rooot: unknown key, did you mean 'root'?\n");
  EXPECT_FALSE(std::filesystem::exists(dir_.file("run")));
  EXPECT_FALSE(std::filesystem::exists(dir_.file("a.log")));
}

TEST_F(DaemonTest, AnAbsentSecretStartsNothing) {
  dir_.write("a.toml", "channel = { key_file = \"a.key\" }\n" + std::string(kConfig));
  const CliResult result = run_here({config_, std::nullopt});
  EXPECT_EQ(result.exit_code, kExitUsage);
  EXPECT_THAT(result.err, StartsWith(config_ + ":1: channel.key_file: expected a key file, "));
  EXPECT_EQ(line_count(result.err), 1u);
  EXPECT_FALSE(std::filesystem::exists(dir_.file("run")));
}

TEST_F(DaemonTest, ADescriptorThatIsNotOpenIsWrongUsage) {
  const CliResult result = run_here({config_, 999'999});
  EXPECT_EQ(result.exit_code, kExitUsage);
  EXPECT_EQ(result.err, "migd: --ready-fd 999999: Bad file descriptor (see migd --help)\n");
}

}  // namespace
}  // namespace migd
