// Folders and files to serve. A FileFolder is a root: nothing outside it can be reached through it,
// by no path and no symbolic link. Only regular files can be opened.
//
// Implementations: app/files/posix_file_store.h, and in memory (memory_file_store.h) for the
// simulator and tests.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace migd {

// What tells one version of a file from another. Nodes that serve the same files must agree on it:
// copies keep the time of modification.
struct FileVersion {
  std::uint64_t size_bytes = 0;
  std::int64_t modified_ns = 0;  // since 1970
  bool operator==(const FileVersion&) const = default;
};

class OpenFile {
 public:
  virtual ~OpenFile() = default;
  virtual const FileVersion& version() const = 0;  // as it was when it was opened
  // Reads at `offset`, as much as there is up to the size of `out`; 0 at the end of the file.
  virtual Result<std::size_t> read(std::uint64_t offset, MutableBytes out) const = 0;
};

enum class OpenFailure {
  kNotFound,
  kForbidden,  // outside the root, not a regular file, or no right to read it
  kIsFolder,
  kIo,  // anything else
};
std::string_view to_string(OpenFailure failure);

class FileFolder {
 public:
  virtual ~FileFolder() = default;
  // `path` is relative to the folder, its parts joined by single slashes; "" is the folder itself.
  virtual tl::expected<std::unique_ptr<OpenFile>, OpenFailure> open(
      const std::string& path) const = 0;
};

class FileStore {
 public:
  virtual ~FileStore() = default;
  virtual Result<std::unique_ptr<FileFolder>> folder(const std::string& absolute_path) = 0;
};

}  // namespace migd
