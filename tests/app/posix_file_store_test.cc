// Real files in a real folder: what may be opened, and that nothing else may.
#include "app/files/posix_file_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.h"

namespace migd {
namespace {

namespace fs = std::filesystem;

class PosixFileStoreTest : public testing::Test {
 protected:
  PosixFileStoreTest() {
    fs::create_directories(root_ / "sub/deep");
    put("a.txt", "hello");
    put("sub/b.txt", "below");
    std::ofstream(outside_) << "secret";
    folder_ = std::move(*PosixFileStore().folder(root_.string()));
  }

  void put(const std::string& name, const std::string& content) {
    std::ofstream(root_ / name) << content;
  }
  std::string content(const std::string& path) {
    const auto file = folder_->open(path);
    if (!file) return "<" + std::string(to_string(file.error())) + ">";
    Bytes bytes(100);
    const Result<std::size_t> size = (*file)->read(0, bytes);
    return std::string(as_text(ByteView(bytes).first(size.value())));
  }

  TempDir dir_;
  fs::path root_ = fs::path(dir_.path()) / "root";
  fs::path outside_ = fs::path(dir_.path()) / "secret.txt";
  std::unique_ptr<FileFolder> folder_;
};

TEST_F(PosixFileStoreTest, OpensFilesInsideTheRoot) {
  EXPECT_EQ(content("a.txt"), "hello");
  EXPECT_EQ(content("sub/b.txt"), "below");
  EXPECT_EQ(content("none"), "<not found>");
  EXPECT_EQ(content("a.txt/b"), "<not found>");
}

TEST_F(PosixFileStoreTest, FoldersAreNamedAsSuch) {
  EXPECT_EQ(content(""), "<a folder>");
  EXPECT_EQ(content("sub"), "<a folder>");
  EXPECT_EQ(content("sub/deep"), "<a folder>");
}

TEST_F(PosixFileStoreTest, AnOpenFileIsTheSameUntilSomethingHappensToIt) {
  EXPECT_EQ(content("a.txt"), "hello");
  put("a.txt", "changed in place");
  EXPECT_EQ(content("a.txt"), "changed in place");
  EXPECT_EQ((*folder_->open("a.txt"))->version().size_bytes, 16u);
  put("new", "another");
  fs::rename(root_ / "new", root_ / "a.txt");
  EXPECT_EQ(content("a.txt"), "another");
  fs::remove(root_ / "a.txt");
  EXPECT_EQ(content("a.txt"), "<not found>");
  put("a.txt", "once more");
  EXPECT_EQ(content("a.txt"), "once more");
}

TEST_F(PosixFileStoreTest, NothingOutsideTheRootCanBeReached) {
  EXPECT_EQ(content("../secret.txt"), "<not served>");
  EXPECT_EQ(content("sub/../../secret.txt"), "<not served>");
  EXPECT_EQ(content(outside_.string()), "<not served>");
  EXPECT_EQ(content("/etc/passwd"), "<not served>");
}

TEST_F(PosixFileStoreTest, ASymbolicLinkMustStayInside) {
  fs::create_symlink("sub/b.txt", root_ / "inside");
  fs::create_symlink("../a.txt", root_ / "sub/up");
  fs::create_symlink("../secret.txt", root_ / "relative_escape");
  fs::create_symlink(outside_, root_ / "absolute_escape");
  fs::create_symlink("..", root_ / "folder_escape");
  fs::create_symlink("loop", root_ / "loop");
  fs::create_symlink("/proc/self/root", root_ / "magic");
  EXPECT_EQ(content("inside"), "below");
  EXPECT_EQ(content("sub/up"), "hello");
  EXPECT_EQ(content("relative_escape"), "<not served>");
  EXPECT_EQ(content("absolute_escape"), "<not served>");
  EXPECT_EQ(content("folder_escape/secret.txt"), "<not served>");
  EXPECT_EQ(content("loop"), "<not served>");
  EXPECT_EQ(content("magic/etc/passwd"), "<not served>");
}

TEST_F(PosixFileStoreTest, OnlyRegularFilesAreServed) {
  ASSERT_EQ(::mkfifo((root_ / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(content("fifo"), "<not served>");

  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = (root_ / "socket").string();
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(content("socket"), "<not served>");
  ::close(fd);
}

TEST_F(PosixFileStoreTest, AnUnreadableFileIsNotServed) {
  if (::geteuid() == 0) return;  // root reads everything
  put("locked", "x");
  fs::permissions(root_ / "locked", fs::perms::none);
  EXPECT_EQ(content("locked"), "<not served>");
}

TEST_F(PosixFileStoreTest, TheVersionTellsChanges) {
  const FileVersion before = (*folder_->open("a.txt"))->version();
  EXPECT_EQ(before.size_bytes, 5u);
  EXPECT_EQ((*folder_->open("a.txt"))->version(), before);
  const timespec times[2] = {{1'600'000'000, 5}, {1'600'000'000, 6}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (root_ / "a.txt").c_str(), times, 0), 0);
  const FileVersion after = (*folder_->open("a.txt"))->version();
  EXPECT_EQ(after.modified_ns, 1'600'000'000'000'000'006);
  EXPECT_NE(after, before);
}

TEST_F(PosixFileStoreTest, ReadsAtOffsetsAndStopsAtTheEnd) {
  const auto file = folder_->open("a.txt");
  Bytes bytes(3);
  EXPECT_EQ((*file)->read(1, bytes).value(), 3u);
  EXPECT_EQ(as_text(bytes), "ell");
  EXPECT_EQ((*file)->read(4, bytes).value(), 1u);
  EXPECT_EQ((*file)->read(5, bytes).value(), 0u);
}

TEST_F(PosixFileStoreTest, AMissingRootIsAnError) {
  EXPECT_FALSE(PosixFileStore().folder((root_ / "nowhere").string()));
  EXPECT_FALSE(PosixFileStore().folder((root_ / "a.txt").string()));
}

}  // namespace
}  // namespace migd
