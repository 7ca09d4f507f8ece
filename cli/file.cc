#include "cli/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace migd {
namespace {

ErrorCode code_of(int error) {
  if (error == ENOENT || error == ENOTDIR) return ErrorCode::kNotFound;
  if (error == EACCES || error == EPERM) return ErrorCode::kPermission;
  if (error == EEXIST) return ErrorCode::kBusy;
  return ErrorCode::kIo;
}

tl::unexpected<Error> system_error(const std::string& path) {
  const int error = errno;
  return fail(code_of(error), path + ": " + std::strerror(error));
}

// A file descriptor that closes itself.
class File {
 public:
  File(const std::string& path, int flags, mode_t mode) : fd_(open(path.c_str(), flags, mode)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  const File file(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);  // a FIFO would wait for its writer
  struct stat status {};
  if (file.fd() < 0 || fstat(file.fd(), &status) != 0) return system_error(path);
  if (S_ISFIFO(status.st_mode)) return fail(ErrorCode::kIo, path + ": is a FIFO");
  std::string content(bytes_max + 1, '\0');
  std::size_t size = 0;
  while (size < content.size()) {
    const ssize_t n = read(file.fd(), content.data() + size, content.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(path);
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  if (size > bytes_max) {
    return fail(ErrorCode::kTooLarge, path + ": more than " + std::to_string(bytes_max) + " bytes");
  }
  content.resize(size);
  return content;
}

Result<void> create_file(const std::string& path, mode_t mode, std::string_view content) {
  const File file(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file.fd() < 0) return system_error(path);
  while (!content.empty()) {
    const ssize_t n = write(file.fd(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(path);
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

std::string relative_to_file(const std::string& base_file, const std::string& path) {
  return (std::filesystem::path(base_file).parent_path() / path).string();
}

}  // namespace migd
