#include "tests/support/namespaces.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace migd::test {
namespace {

constexpr unsigned kTimeLimitSeconds = 60;

bool write_file(const char* path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  return file.good();
}

std::string enter_namespaces() {
  const auto failed = [](const char* what) { return std::string(what) + ": " + strerror(errno); };
  const uid_t uid = getuid();
  const gid_t gid = getgid();
  if (uid == 0) {
    return unshare(CLONE_NEWNET) == 0 ? "" : failed("unshare(CLONE_NEWNET)");
  }
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return failed("unshare(CLONE_NEWUSER)");
  if (!write_file("/proc/self/setgroups", "deny") ||
      !write_file("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1") ||
      !write_file("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1")) {
    return failed("mapping of the user");
  }
  return "";
}

[[noreturn]] void be_the_child(const std::function<void()>& body) {
  alarm(kTimeLimitSeconds);
  const std::string error = enter_namespaces();
  if (error.empty()) {
    body();
  } else {
    ADD_FAILURE() << error;
  }
  std::fflush(nullptr);
  _exit(::testing::Test::HasFailure() ? 1 : 0);
}

}  // namespace

void in_network_namespace(const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) be_the_child(body);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status)) {
    FAIL() << "the body ended by signal " << WTERMSIG(status)
           << (WTERMSIG(status) == SIGALRM ? ": time limit" : "");
  }
  EXPECT_EQ(WEXITSTATUS(status), 0) << "see the messages above";
}

void run(const std::string& command) {
  const std::string line = "PATH=$PATH:/usr/sbin:/sbin; " + command;
  EXPECT_EQ(std::system(line.c_str()), 0) << command;
}

bool may_use_tun() {
  const int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  if (fd < 0) return false;
  close(fd);
  return true;
}

}  // namespace migd::test
