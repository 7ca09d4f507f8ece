// Files of the operating system. The kernel itself keeps every look-up below the root (openat2 with
// RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS): a symbolic link is followed as long as it stays
// inside. A kernel that cannot do that (before 5.6) serves nothing: folder() fails.
//
// To look a small file up and to open it takes longer than to read it. So a folder keeps the files
// that were opened last, and looks up a path again after a second (recent_files.h).
#pragma once

#include "app/files/file_store.h"

namespace migd {

class PosixFileStore : public FileStore {
 public:
  Result<std::unique_ptr<FileFolder>> folder(const std::string& absolute_path) override;
};

}  // namespace migd
