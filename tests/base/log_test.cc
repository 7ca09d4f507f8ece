#include "base/log.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/uv/uv_loop.h"

namespace migd {
namespace {

// What is written to stderr goes to the file meanwhile, and is not buffered afterwards, as before.
class RedirectedStderr {
 public:
  explicit RedirectedStderr(const std::string& path) : before_(dup(STDERR_FILENO)) {
    const int file = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    dup2(file, STDERR_FILENO);
    close(file);
  }
  ~RedirectedStderr() {
    std::fflush(stderr);
    std::setvbuf(stderr, nullptr, _IONBF, 0);
    dup2(before_, STDERR_FILENO);
    close(before_);
  }
  RedirectedStderr(const RedirectedStderr&) = delete;
  RedirectedStderr& operator=(const RedirectedStderr&) = delete;

 private:
  const int before_;
};

class LogTest : public ::testing::Test {
 protected:
  LogTest() {
    char name[] = "/tmp/migd_log_test.XXXXXX";
    close(mkstemp(name));
    path_ = name;
  }
  ~LogTest() override { std::remove(path_.c_str()); }

  // What is in the file while the log is still open: nothing waits in a buffer.
  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    std::ifstream in(path_);
    for (std::string line; std::getline(in, line);)
      all.push_back(line);
    return all;
  }
  void turn() {
    loop_.post([this] { loop_.stop(); });
    loop_.run();
  }

  std::string path_;
  UvLoop loop_;
};

// RFC 3339, in UTC, with microseconds.
bool is_time(const std::string& text) {
  std::string pattern;
  for (const char c : std::string("dddd-dd-ddTdd:dd:dd.ddddddZ")) {
    pattern += c == 'd' ? std::string("[0-9]") : std::string(1, c);
  }
  return fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

TEST_F(LogTest, LogfmtQuotesWhatNeedsIt) {
  const auto log = make_log(LogFormat::kLogfmt, LogLevel::kInfo, path_);
  log->info("connection_opened", {{"plain", "10.77.0.1:80"},
                                  {"empty", ""},
                                  {"space", "a b"},
                                  {"equals", "a=b"},
                                  {"quote", "a\"b\\c"},
                                  {"lines", "a\nb\tc\x01"},
                                  {"braces", "{} %v %%"}});
  log->warn("second");
  const auto all = lines();
  ASSERT_EQ(all.size(), 2u);
  const std::string rest =
      "level=info event=connection_opened plain=10.77.0.1:80 empty=\"\" space=\"a b\" "
      "equals=\"a=b\" quote=\"a\\\"b\\\\c\" lines=\"a\\nb\\tc\\u0001\" braces=\"{} %v %%\"";
  EXPECT_EQ(all[0].substr(all[0].find("level=")), rest);
  const std::size_t end = all[1].find(' ');
  EXPECT_EQ(all[1].substr(end), " level=warn event=second");
  EXPECT_EQ(all[1].substr(0, 5), "time=");
  EXPECT_TRUE(is_time(all[1].substr(5, end - 5))) << all[1];
}

TEST_F(LogTest, JsonLinesParse) {
  const auto log = make_log(LogFormat::kJson, LogLevel::kDebug, path_);
  log->write(LogLevel::kError, "failed", {{"text", "a \"b\"\n{}"}, {"not_utf8", "\xff"}});
  log->info("bare");
  const auto all = lines();
  ASSERT_EQ(all.size(), 2u);
  const auto first = nlohmann::json::parse(all[0]);
  EXPECT_EQ(first["level"], "error");
  EXPECT_EQ(first["event"], "failed");
  EXPECT_EQ(first["text"], "a \"b\"\n{}");
  EXPECT_TRUE(first.contains("not_utf8"));
  EXPECT_TRUE(is_time(first["time"].get<std::string>()));
  EXPECT_EQ(nlohmann::json::parse(all[1]).size(), 3u);
}

TEST_F(LogTest, WritesNothingBelowItsLevel) {
  const auto log = make_log(LogFormat::kLogfmt, LogLevel::kWarn, path_);
  log->write(LogLevel::kDebug, "debug", {});
  log->info("info");
  log->warn("warn");
  log->write(LogLevel::kError, "error", {});
  EXPECT_EQ(lines().size(), 2u);
  EXPECT_FALSE(log->writes(LogLevel::kInfo));
  EXPECT_TRUE(log->writes(LogLevel::kWarn));
}

TEST_F(LogTest, WithALoopLinesAreThereBeforeItWaitsAgain) {
  const auto log = make_log(LogFormat::kLogfmt, LogLevel::kInfo, path_, &loop_);
  log->info("first");
  log->info("second");
  EXPECT_EQ(lines().size(), 0u);  // one system call for both
  turn();
  EXPECT_EQ(lines().size(), 2u);
  log->info("third");
  turn();
  EXPECT_EQ(lines().size(), 3u);
}

TEST_F(LogTest, WithALoopStderrGetsItsLinesTogetherToo) {
  const RedirectedStderr redirected(path_);
  const auto log = make_log(LogFormat::kLogfmt, LogLevel::kInfo, "", &loop_);
  log->info("first");
  log->info("second");
  EXPECT_EQ(lines().size(), 0u);
  turn();
  EXPECT_EQ(lines().size(), 2u);
  log->warn("third");
  EXPECT_EQ(lines().size(), 3u);
}

TEST_F(LogTest, AWarningIsThereAtOnceWithWhatWasBeforeIt) {
  const auto log = make_log(LogFormat::kLogfmt, LogLevel::kInfo, path_, &loop_);
  log->info("first");
  log->warn("second");
  EXPECT_EQ(lines().size(), 2u);
}

TEST_F(LogTest, AFailedCheckHandsOverWhatIsLeft) {
  const auto log = make_log(LogFormat::kLogfmt, LogLevel::kInfo, path_, &loop_);
  EXPECT_DEATH(
      {
        log->info("last");
        check_failed("condition", "file", 1);
      },
      "check failed at file:1: condition");
  EXPECT_EQ(lines().size(), 1u);
}

TEST_F(LogTest, AppendsToWhatIsThere) {
  make_log(LogFormat::kLogfmt, LogLevel::kInfo, path_)->info("before");
  make_log(LogFormat::kLogfmt, LogLevel::kInfo, path_)->info("after");
  EXPECT_EQ(lines().size(), 2u);
}

TEST_F(LogTest, UnusableFileIsToldOnStderr) {
  ::testing::internal::CaptureStderr();
  make_log(LogFormat::kLogfmt, LogLevel::kInfo, path_ + "/below/a/file")->info("started");
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("level=warn event=log_file_unusable"), std::string::npos) << text;
  EXPECT_NE(text.find("event=started"), std::string::npos) << text;
}

}  // namespace
}  // namespace migd
