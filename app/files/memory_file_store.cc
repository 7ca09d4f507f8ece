#include "app/files/memory_file_store.h"

#include <algorithm>
#include <utility>

namespace migd {
namespace {

struct StoredFile {
  FileVersion version;
  Bytes content;
};

class MemoryFile : public OpenFile {
 public:
  explicit MemoryFile(std::shared_ptr<const StoredFile> file) : file_(std::move(file)) {}
  const FileVersion& version() const override { return file_->version; }
  Result<std::size_t> read(std::uint64_t offset, MutableBytes out) const override {
    if (offset >= file_->content.size()) return std::size_t{0};
    const ByteView rest = ByteView(file_->content).subspan(static_cast<std::size_t>(offset));
    const std::size_t size = std::min(rest.size(), out.size());
    std::copy_n(rest.begin(), size, out.begin());
    return size;
  }

 private:
  std::shared_ptr<const StoredFile> file_;
};

}  // namespace

struct MemoryFileStore::Files {
  std::map<std::string, std::shared_ptr<const StoredFile>> by_path;

  bool has_folder(const std::string& path) const {
    const std::string prefix = path + "/";
    const auto next = by_path.lower_bound(prefix);
    return next != by_path.end() && next->first.compare(0, prefix.size(), prefix) == 0;
  }
};

namespace {

class MemoryFolder : public FileFolder {
 public:
  MemoryFolder(std::string root, std::shared_ptr<MemoryFileStore::Files> files)
      : root_(std::move(root)), files_(std::move(files)) {}

  tl::expected<std::unique_ptr<OpenFile>, OpenFailure> open(
      const std::string& path) const override {
    const std::string full = path.empty() ? root_ : root_ + "/" + path;
    if (const auto found = files_->by_path.find(full); found != files_->by_path.end()) {
      return std::make_unique<MemoryFile>(found->second);
    }
    if (path.empty() || files_->has_folder(full)) return tl::unexpected(OpenFailure::kIsFolder);
    return tl::unexpected(OpenFailure::kNotFound);
  }

 private:
  std::string root_;
  std::shared_ptr<MemoryFileStore::Files> files_;
};

}  // namespace

MemoryFileStore::MemoryFileStore() : files_(std::make_shared<Files>()) {}
MemoryFileStore::~MemoryFileStore() = default;

void MemoryFileStore::add(const std::string& absolute_path, Bytes content,
                          std::int64_t modified_ns) {
  const FileVersion version{content.size(), modified_ns};
  files_->by_path[absolute_path] =
      std::make_shared<const StoredFile>(StoredFile{version, std::move(content)});
}

void MemoryFileStore::remove(const std::string& absolute_path) {
  files_->by_path.erase(absolute_path);
}

Result<std::unique_ptr<FileFolder>> MemoryFileStore::folder(const std::string& absolute_path) {
  return std::make_unique<MemoryFolder>(absolute_path, files_);
}

}  // namespace migd
