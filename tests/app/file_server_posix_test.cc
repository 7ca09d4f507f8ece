// The static file server on a real folder with things in it that must not be served.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "app/files/posix_file_store.h"
#include "tests/app/http_text.h"
#include "tests/support/temp_dir.h"

namespace migd {
namespace {

namespace fs = std::filesystem;

class FileServerPosixTest : public testing::Test {
 protected:
  FileServerPosixTest() {
    fs::create_directories(root_ / "sub");
    std::ofstream(root_ / "a.txt") << "hello";
    std::ofstream(root_ / "sub/index.html") << "sub";
    std::ofstream(fs::path(dir_.path()) / "secret") << "secret";
    ApplicationOptions files = application("files", ApplicationKind::kFiles);
    files.root = root_.string();
    registry_ =
        std::move(*ApplicationRegistry::create({files}, {store_, network_, log_, metrics_, {}}));
  }

  HttpReply get(const std::string& target) {
    FakeConnection connection;
    EXPECT_TRUE(registry_->attach(connection, "files", {}, false));
    connection.client_sends(as_bytes("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n"));
    connection.client_closes();
    connection.deliver_events();
    const Bytes received = connection.client_takes(1u << 20);
    connection.deliver_events();
    const auto replies = split_replies(std::string(as_text(received)));
    EXPECT_EQ(replies.size(), 1u);
    return replies.empty() ? HttpReply() : replies[0];
  }

  TempDir dir_;
  fs::path root_ = fs::path(dir_.path()) / "root";
  PosixFileStore store_;
  FakeStreamNetwork network_;
  NullLog log_;
  Metrics metrics_;
  std::unique_ptr<ApplicationRegistry> registry_;
};

TEST_F(FileServerPosixTest, ServesFilesAndTheIndexOfFolders) {
  EXPECT_EQ(get("/a.txt").content, "hello");
  EXPECT_EQ(get("/a.txt").field("Date"), "");  // nobody gave it a clock
  EXPECT_EQ(get("/sub/").content, "sub");
  EXPECT_EQ(get("/sub").status, 301);
  EXPECT_EQ(get("/").status, 404);
  EXPECT_EQ(get("/a.txt/x").status, 404);
}

TEST_F(FileServerPosixTest, LinksOutOfTheRootAndOtherThanFilesAreForbidden) {
  fs::create_symlink("sub/index.html", root_ / "inside");
  fs::create_symlink("../secret", root_ / "escape");
  fs::create_symlink("..", root_ / "up");
  fs::create_symlink("/proc/self/root", root_ / "magic");
  ASSERT_EQ(::mkfifo((root_ / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(get("/inside").content, "sub");
  EXPECT_EQ(get("/escape").status, 403);
  EXPECT_EQ(get("/up/secret").status, 403);
  EXPECT_EQ(get("/up/").status, 403);
  EXPECT_EQ(get("/magic/etc/passwd").status, 403);
  EXPECT_EQ(get("/fifo").status, 403);
  EXPECT_EQ(get("/%2e%2e/secret").status, 403);
}

TEST_F(FileServerPosixTest, AFileThatShrinksWhileItIsSentResetsTheConnection) {
  std::ofstream(root_ / "big") << std::string(100'000, 'x');
  FakeConnection connection({.send_buffer = 1000});
  ASSERT_TRUE(registry_->attach(connection, "files", {}, false));
  connection.client_sends(as_bytes("GET /big HTTP/1.1\r\nHost: h\r\n\r\n"));
  connection.deliver_events();
  fs::resize_file(root_ / "big", 500);
  connection.client_takes(1000);
  connection.deliver_events();
  EXPECT_TRUE(connection.aborted());
  EXPECT_TRUE(connection.gone());
}

TEST_F(FileServerPosixTest, AMissingRootIsNamed) {
  ApplicationOptions files = application("web", ApplicationKind::kFiles);
  files.root = (root_ / "nowhere").string();
  const auto created = ApplicationRegistry::create({files}, {store_, network_, log_, metrics_, {}});
  ASSERT_FALSE(created);
  EXPECT_NE(created.error().text.find("application 'web'"), std::string::npos);
  EXPECT_NE(created.error().text.find("nowhere"), std::string::npos);
}

}  // namespace
}  // namespace migd
