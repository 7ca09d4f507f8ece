#include "stack/links/pcap_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace migd {
namespace {

constexpr std::size_t kFileBufferBytes = 1 << 20;
constexpr std::uint32_t kMagicNanoseconds = 0xa1b23c4d;
constexpr std::uint32_t kLinkTypeRaw = 101;

// The format is in the writer's byte order, which the magic number tells.
template <typename T>
void put(Bytes& out, T value) {
  std::uint8_t raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  append(out, raw);
}

bool write_all(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<PcapWriter>> PcapWriter::create(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) {
    return fail(errno == EACCES ? ErrorCode::kPermission : ErrorCode::kIo,
                "cannot write '" + path + "': " + std::strerror(errno));
  }
  return std::unique_ptr<PcapWriter>(new PcapWriter(fd));
}

PcapWriter::PcapWriter(int fd) : fd_(fd) {
  put<std::uint32_t>(buffer_, kMagicNanoseconds);
  put<std::uint16_t>(buffer_, 2);
  put<std::uint16_t>(buffer_, 4);
  put<std::uint32_t>(buffer_, 0);  // time zone
  put<std::uint32_t>(buffer_, 0);  // accuracy
  put<std::uint32_t>(buffer_, kSnapBytes);
  put<std::uint32_t>(buffer_, kLinkTypeRaw);
  flush();
}

PcapWriter::~PcapWriter() {
  flush();
  close(fd_);
}

void PcapWriter::write(Duration unix_time, ByteView packet) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const ByteView kept = packet.first(std::min<std::size_t>(packet.size(), kSnapBytes));
  put(buffer_, static_cast<std::uint32_t>(unix_time.count() / kSecond));
  put(buffer_, static_cast<std::uint32_t>(unix_time.count() % kSecond));
  put(buffer_, static_cast<std::uint32_t>(kept.size()));
  put(buffer_, static_cast<std::uint32_t>(packet.size()));
  append(buffer_, kept);
  ++packets_in_buffer_;
  if (buffer_.size() >= kFileBufferBytes) flush();
}

void PcapWriter::flush() {
  if (buffer_.empty()) return;
  failed_ = failed_ || !write_all(fd_, buffer_);
  (failed_ ? packets_lost_ : packets_written_) += packets_in_buffer_;
  buffer_.clear();
  packets_in_buffer_ = 0;
}

Duration unix_time_offset(Instant now) {
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<Duration>(wall) - now.time_since_epoch();
}

}  // namespace migd
