#include "app/files/file_session.h"

#include <fmt/format.h>

#include <utility>

#include "app/http/date.h"
#include "app/http/media_type.h"
#include "app/http/target.h"
#include "app/state.h"

namespace migd {
namespace {

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

Validators validators_of(const FileVersion& version) {
  std::int64_t seconds = version.modified_ns / kNanosecondsPerSecond;
  if (version.modified_ns % kNanosecondsPerSecond < 0) --seconds;
  return {fmt::format("\"{:x}-{:x}\"", version.size_bytes,
                      static_cast<std::uint64_t>(version.modified_ns)),
          seconds};
}

RangeAnswer range_of(const HttpRequest& request, const Validators& current, std::uint64_t size) {
  const auto field = request.field("Range");
  if (!field || request.method != "GET" || !range_applies(request, current)) return {};
  return resolve_range(*field, size);
}

}  // namespace

void FileSession::on_request(const HttpRequest& request) {
  const bool head_only = request.method == "HEAD";
  if (!head_only && request.method != "GET") {
    return respond_with_status(HttpStatus::kMethodNotAllowed, "GET, HEAD");
  }
  const auto target = parse_target(request.target);
  if (!target) return respond_with_status(target.error(), {}, head_only);
  std::string path = target->path;
  if (target->folder) path += path.empty() ? "index.html" : "/index.html";
  auto file = folder_.open(path);
  if (!file) return respond_with_failure(file.error(), target->path, target->folder, head_only);
  respond_with_file(request, std::move(path), std::move(*file));
}

void FileSession::respond_with_failure(OpenFailure failure, const std::string& path, bool folder,
                                       bool head_only) {
  switch (failure) {
    case OpenFailure::kNotFound:
      return respond_with_status(HttpStatus::kNotFound, {}, head_only);
    case OpenFailure::kForbidden:
      return respond_with_status(HttpStatus::kForbidden, {}, head_only);
    case OpenFailure::kIo:
      return respond_with_status(HttpStatus::kInternalServerError, {}, head_only);
    case OpenFailure::kIsFolder:
      break;
  }
  if (folder) return respond_with_status(HttpStatus::kNotFound, {}, head_only);
  HttpResponse response;
  response.status = HttpStatus::kMovedPermanently;
  response.fields.emplace_back("Location", folder_target(path));
  respond(std::move(response), head_only);
}

void FileSession::respond_with_file(const HttpRequest& request, std::string path,
                                    std::unique_ptr<OpenFile> file) {
  const bool head_only = request.method == "HEAD";
  const Validators current = validators_of(file->version());
  HttpResponse response;
  response.fields.emplace_back("ETag", current.entity_tag);
  response.fields.emplace_back("Last-Modified", format_http_date(current.modified_s));
  switch (evaluate_preconditions(request, current)) {
    case Precondition::kFailed:
      return respond_with_status(HttpStatus::kPreconditionFailed, {}, head_only);
    case Precondition::kNotModified:
      response.status = HttpStatus::kNotModified;
      return respond(std::move(response), true);
    case Precondition::kMet:
      break;
  }
  const RangeAnswer range = range_of(request, current, file->version().size_bytes);
  respond_with_part(std::move(response), range, std::move(path), std::move(file), head_only);
}

void FileSession::respond_with_part(HttpResponse response, const RangeAnswer& range,
                                    std::string path, std::unique_ptr<OpenFile> file,
                                    bool head_only) {
  const std::uint64_t size = file->version().size_bytes;
  std::uint64_t first = 0, end = size;
  response.fields.emplace_back("Accept-Ranges", "bytes");
  switch (range.kind) {
    case RangeAnswer::Kind::kWhole:
      break;
    case RangeAnswer::Kind::kPart:
      first = range.first;
      end = range.end;
      response.status = HttpStatus::kPartialContent;
      response.fields.emplace_back("Content-Range",
                                   fmt::format("bytes {}-{}/{}", first, end - 1, size));
      break;
    case RangeAnswer::Kind::kUnsatisfiable:
      response.status = HttpStatus::kRangeNotSatisfiable;
      response.fields.emplace_back("Content-Range", fmt::format("bytes */{}", size));
      return respond(std::move(response), head_only);
  }
  response.fields.emplace_back("Content-Type", media_type(path));
  response.content_length = end - first;
  respond(std::move(response), head_only);
  if (!head_only && first < end) sender_.emplace(std::move(path), std::move(file), first, end);
}

bool FileSession::send_content() {
  if (!sender_) return true;
  switch (sender_->send(connection())) {
    case FileSender::Progress::kBlocked:
      return false;
    case FileSender::Progress::kDone:
      return open();
    case FileSender::Progress::kFailed:
      break;
  }
  abort_connection();  // the length that was promised cannot be kept
  return false;
}

// u8: there is a file | the sender's state, if there is
void FileSession::write_exchange(ByteWriter& out) const {
  out.u8(sender_ ? 1 : 0);
  if (sender_) sender_->write_state(out);
}

Result<void> FileSession::restore(BoundedReader& in) {
  if (Result<void> http = restore_http(in); !http) return http;
  const Result<bool> sending = read_flag(in, "sending");
  if (!sending) return tl::unexpected(sending.error());
  if (!*sending) return {};
  Result<FileSender> sender = FileSender::restore(in, folder_);
  if (!sender) return tl::unexpected(sender.error());
  sender_.emplace(std::move(*sender));
  return {};
}

}  // namespace migd
