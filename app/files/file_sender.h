// FileSender: a part of an open file on its way into a connection. It is the seam for a way without
// the copy: whoever finds one, changes send() and nothing else.
//
// It travels as the path, the version and what is left; the target opens the file again and refuses
// when it is not there or is another version.
#pragma once

#include <memory>
#include <string>

#include "app/files/file_store.h"
#include "base/reader.h"
#include "base/writer.h"
#include "stack/connection.h"

namespace migd {

class FileSender {
 public:
  static constexpr std::size_t kStepBytes = 64u << 10;

  // The bytes [offset, end) of the file.
  FileSender(std::string path, std::unique_ptr<OpenFile> file, std::uint64_t offset,
             std::uint64_t end);

  enum class Progress {
    kBlocked,  // the connection takes no more now
    kDone,
    kFailed,  // the file cannot be read, or is shorter than it was
  };
  Progress send(Connection& connection);

  // u16 size, path | u64 size of the file | u64 time of modification, ns | u64 offset | u64 end
  void write_state(ByteWriter& out) const;
  static Result<FileSender> restore(BoundedReader& in, const FileFolder& folder);

 private:
  std::string path_;
  std::unique_ptr<OpenFile> file_;
  std::uint64_t offset_;
  std::uint64_t end_;
};

}  // namespace migd
