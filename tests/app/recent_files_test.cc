#include "app/files/recent_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.h"

namespace migd {
namespace {

using namespace std::chrono_literals;

class RecentFilesTest : public testing::Test {
 protected:
  // Opens it as a folder does that has not found it.
  void open(const std::string& name) {
    auto fd = std::make_shared<const Descriptor>(::open(dir_.file(name).c_str(), O_RDONLY));
    struct stat status {};
    ASSERT_EQ(fstat(fd->get(), &status), 0);
    files_.keep(name, std::move(fd), status, now_);
  }
  void make(const std::string& name, std::size_t size = 1) {
    std::ofstream(dir_.file(name)) << std::string(size, 'x');
    open(name);
  }
  bool is_kept(const std::string& name) {
    struct stat status {};
    return files_.find(name, now_, status) != nullptr;
  }

  TempDir dir_;
  RecentFiles files_;
  RecentFiles::Clock::time_point now_ = RecentFiles::Clock::now();
};

TEST_F(RecentFilesTest, AFileIsKeptForASecond) {
  make("a");
  EXPECT_TRUE(is_kept("a"));
  EXPECT_FALSE(is_kept("b"));
  now_ += RecentFiles::kKept - 1ms;
  EXPECT_TRUE(is_kept("a"));
  now_ += 1ms;
  EXPECT_FALSE(is_kept("a")) << "also when it was asked for meanwhile";
}

TEST_F(RecentFilesTest, WhatHasNoNameAnyMoreIsLookedUpAgain) {
  make("a");
  std::filesystem::remove(dir_.file("a"));
  EXPECT_FALSE(is_kept("a"));
  make("a");
  EXPECT_TRUE(is_kept("a"));
  now_ += RecentFiles::kKept;
  EXPECT_FALSE(is_kept("a"));
}

TEST_F(RecentFilesTest, StatusIsThatOfNow) {
  make("a");
  std::ofstream(dir_.file("a"), std::ios::app) << "yz";
  struct stat status {};
  ASSERT_NE(files_.find("a", now_, status), nullptr);
  EXPECT_EQ(status.st_size, 3);
}

TEST_F(RecentFilesTest, NeitherLargeFilesNorMany) {
  make("large", RecentFiles::kSizeMax + 1);
  EXPECT_FALSE(is_kept("large"));
  for (std::size_t i = 0; i < RecentFiles::kMost; ++i)
    make(std::to_string(i));
  make("more");
  EXPECT_TRUE(is_kept("0"));
  EXPECT_FALSE(is_kept("more"));
  now_ += RecentFiles::kKept;
  EXPECT_FALSE(is_kept("0"));
  open("more");
  EXPECT_TRUE(is_kept("more"));
}

}  // namespace
}  // namespace migd
