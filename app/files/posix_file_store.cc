#include "app/files/posix_file_store.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "app/files/recent_files.h"

namespace migd {
namespace {

// Never waits: a FIFO without a writer opens at once, and is then refused by its type.
Descriptor open_beneath(int root, const char* path, std::uint64_t flags) {
  struct open_how how {};
  how.flags = flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  long fd = -1;
  int tries = 16;  // EAGAIN: a rename while it resolved, or a lease that is being broken
  do {
    fd = ::syscall(SYS_openat2, root, path, &how, sizeof how);
  } while (fd < 0 && (errno == EINTR || errno == EAGAIN) && --tries > 0);
  return Descriptor(static_cast<int>(fd));
}

OpenFailure failure_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
      return OpenFailure::kNotFound;
    case EACCES:
    case EPERM:
    case EXDEV:  // it would have left the root
    case ELOOP:
    case ENXIO:  // a socket, or a device that is not there
    case ENODEV:
      return OpenFailure::kForbidden;
    default:
      return OpenFailure::kIo;
  }
}

FileVersion version_of(const struct stat& status) {
  return {static_cast<std::uint64_t>(status.st_size),
          std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

class PosixFile : public OpenFile {
 public:
  PosixFile(std::shared_ptr<const Descriptor> fd, FileVersion version)
      : fd_(std::move(fd)), version_(version) {}
  const FileVersion& version() const override { return version_; }

  Result<std::size_t> read(std::uint64_t offset, MutableBytes out) const override {
    ssize_t size = -1;
    do {
      size = ::pread(fd_->get(), out.data(), out.size(), static_cast<off_t>(offset));
    } while (size < 0 && errno == EINTR);
    if (size < 0) return fail(ErrorCode::kIo, std::string("read: ") + std::strerror(errno));
    return static_cast<std::size_t>(size);
  }

 private:
  std::shared_ptr<const Descriptor> fd_;
  FileVersion version_;
};

class PosixFolder : public FileFolder {
 public:
  explicit PosixFolder(Descriptor root) : root_(std::move(root)) {}

  tl::expected<std::unique_ptr<OpenFile>, OpenFailure> open(
      const std::string& path) const override {
    const auto now = RecentFiles::Clock::now();
    struct stat status {};
    if (auto recent = recent_.find(path, now, status)) return file(std::move(recent), status);
    auto fd = std::make_shared<const Descriptor>(
        open_beneath(root_.get(), path.empty() ? "." : path.c_str(), O_RDONLY));
    if (!fd->valid()) return tl::unexpected(failure_of(errno));
    if (::fstat(fd->get(), &status) != 0) return tl::unexpected(OpenFailure::kIo);
    if (S_ISDIR(status.st_mode)) return tl::unexpected(OpenFailure::kIsFolder);
    if (!S_ISREG(status.st_mode)) return tl::unexpected(OpenFailure::kForbidden);
    recent_.keep(path, fd, status, now);
    return file(std::move(fd), status);
  }

 private:
  static std::unique_ptr<OpenFile> file(std::shared_ptr<const Descriptor> fd,
                                        const struct stat& status) {
    return std::make_unique<PosixFile>(std::move(fd), version_of(status));
  }

  Descriptor root_;
  mutable RecentFiles recent_;
};

}  // namespace

Result<std::unique_ptr<FileFolder>> PosixFileStore::folder(const std::string& absolute_path) {
  Descriptor root(::open(absolute_path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) {
    return fail(ErrorCode::kIo, "'" + absolute_path + "': " + std::strerror(errno));
  }
  if (!open_beneath(root.get(), ".", O_RDONLY | O_DIRECTORY).valid()) {
    const bool unsupported = errno == ENOSYS || errno == E2BIG || errno == EINVAL;
    return fail(ErrorCode::kIo, "'" + absolute_path + "': " +
                                    (unsupported ? "this kernel has no openat2 (Linux 5.6)"
                                                 : std::strerror(errno)));
  }
  return std::make_unique<PosixFolder>(std::move(root));
}

}  // namespace migd
