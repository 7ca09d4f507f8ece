// A FileStore in memory, for the simulator and tests. Every path of add() begins with the absolute
// path of a folder that will be asked for.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "app/files/file_store.h"

namespace migd {

class MemoryFileStore : public FileStore {
 public:
  MemoryFileStore();
  ~MemoryFileStore() override;

  // Adds or replaces; files that are open keep what they had.
  void add(const std::string& absolute_path, Bytes content, std::int64_t modified_ns = 0);
  void remove(const std::string& absolute_path);

  Result<std::unique_ptr<FileFolder>> folder(const std::string& absolute_path) override;

  struct Files;

 private:
  std::shared_ptr<Files> files_;
};

}  // namespace migd
