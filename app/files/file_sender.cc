#include "app/files/file_sender.h"

#include <algorithm>
#include <array>
#include <utility>

#include "app/state.h"

namespace migd {
namespace {

constexpr std::size_t kPathMax = 4096;

// A node is one thread, and nothing is kept in it between two calls.
std::array<std::uint8_t, FileSender::kStepBytes> step_buffer;

}  // namespace

FileSender::FileSender(std::string path, std::unique_ptr<OpenFile> file, std::uint64_t offset,
                       std::uint64_t end)
    : path_(std::move(path)), file_(std::move(file)), offset_(offset), end_(end) {}

FileSender::Progress FileSender::send(Connection& connection) {
  while (offset_ < end_) {
    const std::uint64_t size =
        std::min({end_ - offset_, std::uint64_t{kStepBytes}, std::uint64_t{connection.writable()}});
    if (size == 0) return Progress::kBlocked;
    const MutableBytes step = MutableBytes(step_buffer).first(static_cast<std::size_t>(size));
    const Result<std::size_t> read = file_->read(offset_, step);
    if (!read || *read == 0) return Progress::kFailed;
    const std::size_t written = connection.write(step.first(*read));
    if (written == 0) return Progress::kBlocked;
    offset_ += written;
  }
  return Progress::kDone;
}

void FileSender::write_state(ByteWriter& out) const {
  write_string(out, path_);
  out.u64(file_->version().size_bytes);
  out.u64(static_cast<std::uint64_t>(file_->version().modified_ns));
  out.u64(offset_);
  out.u64(end_);
}

Result<FileSender> FileSender::restore(BoundedReader& in, const FileFolder& folder) {
  Result<std::string> path = read_string(in, kPathMax, "path");
  if (!path) return tl::unexpected(path.error());
  FileVersion version;
  version.size_bytes = in.u64();
  version.modified_ns = static_cast<std::int64_t>(in.u64());
  const std::uint64_t offset = in.u64();
  const std::uint64_t end = in.u64();
  if (!in.ok()) return bad_state("truncated");
  if (path->find('\0') != std::string::npos) return bad_state("path holds a NUL");
  if (offset > end || end > version.size_bytes) return bad_state("range is outside the file");
  auto file = folder.open(*path);
  if (!file) {
    return fail(ErrorCode::kRefused,
                "file '" + *path + "' is " + std::string(to_string(file.error())) + " here");
  }
  if ((*file)->version() != version) {
    return fail(ErrorCode::kRefused, "file '" + *path + "' is another version here");
  }
  return FileSender(std::move(*path), std::move(*file), offset, end);
}

}  // namespace migd
