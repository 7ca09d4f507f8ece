#include "app/files/recent_files.h"

#include <unistd.h>

#include <utility>

namespace migd {

Descriptor::Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

std::shared_ptr<const Descriptor> RecentFiles::find(const std::string& path, Clock::time_point now,
                                                    struct stat& status) {
  forget(now);
  const auto found = by_path_.find(path);
  if (found == by_path_.end()) return nullptr;
  const bool has_a_name = ::fstat(found->second->get(), &status) == 0 && status.st_nlink > 0;
  return has_a_name ? found->second : nullptr;
}

void RecentFiles::keep(const std::string& path, std::shared_ptr<const Descriptor> fd,
                       const struct stat& status, Clock::time_point now) {
  if (status.st_size > kSizeMax || opened_.size() >= kMost) return;
  by_path_[path] = std::move(fd);
  opened_.push_back({path, now});
}

// A path that was kept twice, for its first file is gone, goes with the first: a look-up more.
void RecentFiles::forget(Clock::time_point now) {
  while (!opened_.empty() && now - opened_.front().at >= kKept) {
    by_path_.erase(opened_.front().path);
    opened_.pop_front();
  }
}

}  // namespace migd
