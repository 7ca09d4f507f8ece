// RecentFiles: the small files that a folder has opened during the last second, by their paths.
//
// What was written into a file meanwhile is seen at once, and so is that it was removed or another
// was renamed to its path. What is seen late, by a second at most: that a path leads elsewhere
// while the file that it led to has another name, and that the right to open it was taken away.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

namespace migd {

// A file descriptor, closed with it.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor();
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

class RecentFiles {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr Clock::duration kKept = std::chrono::seconds(1);
  static constexpr std::size_t kMost = 64;
  static constexpr std::int64_t kSizeMax = 1 << 20;  // one that is removed meanwhile stays on disk

  // Null: it has to be looked up. Else `status` is what the file is now.
  std::shared_ptr<const Descriptor> find(const std::string& path, Clock::time_point now,
                                         struct stat& status);
  void keep(const std::string& path, std::shared_ptr<const Descriptor> fd,
            const struct stat& status, Clock::time_point now);

 private:
  struct Opened {
    std::string path;
    Clock::time_point at;
  };
  void forget(Clock::time_point now);

  std::unordered_map<std::string, std::shared_ptr<const Descriptor>> by_path_;
  std::deque<Opened> opened_;  // oldest first
};

}  // namespace migd
