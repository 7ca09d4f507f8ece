#include "cli/commands/admin_client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <limits>
#include <optional>

#include "cli/admin/http_message.h"

namespace migd {
namespace {

using Clock = std::chrono::steady_clock;
using Deadline = std::optional<Clock::time_point>;  // nothing: never

// All rows of a node with a million connections.
constexpr HttpLimits kResponseLimits{2048, 64u << 10, std::size_t{1} << 30};

// A connected socket with a deadline for all that is done with it.
class AdminSocket {
 public:
  explicit AdminSocket(Deadline deadline) : deadline_(deadline) {}
  ~AdminSocket() {
    if (fd_ >= 0) close(fd_);
  }
  AdminSocket(const AdminSocket&) = delete;
  AdminSocket& operator=(const AdminSocket&) = delete;

  Result<void> connect(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return unreachable(path, ENAMETOOLONG);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return unreachable(path, errno);
    set_timeout();  // connect() to a daemon that does not accept waits, too
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return {};
    if (errno == EAGAIN) return late();
    return unreachable(path, errno);
  }

  Result<void> send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return late();
      if (n < 0) return lost();
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
  }

  // Empty at the end of the stream.
  Result<std::string_view> receive() {
    for (;;) {
      pollfd waiting{fd_, POLLIN, 0};
      const int ready = poll(&waiting, 1, milliseconds_left());
      if (ready < 0 && errno == EINTR) continue;
      if (ready == 0) return late();
      const ssize_t n = recv(fd_, buffer_.data(), buffer_.size(), 0);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return lost();
      return std::string_view(buffer_.data(), static_cast<std::size_t>(n));
    }
  }

 private:
  static tl::unexpected<Error> unreachable(const std::string& path, int error) {
    return fail(ErrorCode::kUnavailable,
                "no daemon at " + path + " (" + std::strerror(error) + ")");
  }
  static tl::unexpected<Error> late() {
    return fail(ErrorCode::kDeadline, "the daemon did not answer in time");
  }
  static tl::unexpected<Error> lost() {
    return fail(ErrorCode::kUnavailable, "the daemon has closed the connection");
  }

  int milliseconds_left() const {
    if (!deadline_) return -1;
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(*deadline_ - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left + 1, 0, std::numeric_limits<int>::max()));
  }

  void set_timeout() {
    if (!deadline_) return;
    const int left = std::max(1, milliseconds_left());
    const timeval timeout{left / 1000, (left % 1000) * 1000};
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  }

  const Deadline deadline_;
  int fd_ = -1;
  std::array<char, 65536> buffer_;
};

std::string request_text(std::string_view method, std::string_view path, std::string_view body) {
  std::string text =
      fmt::format("{} {} HTTP/1.1\r\nHost: migd\r\nConnection: close\r\n", method, path);
  if (!body.empty()) {
    text += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  }
  return text + "\r\n" + std::string(body);
}

// Reads until the response is whole, or until `enough` says so after some of it.
Result<void> read_response(AdminSocket& socket, HttpParser& parser,
                           const std::function<bool()>& enough) {
  for (;;) {
    const Result<std::string_view> bytes = socket.receive();
    if (!bytes) return tl::unexpected(bytes.error());
    if (bytes->empty()) {
      if (parser.finish()) return {};
      return fail(ErrorCode::kUnavailable, "the daemon has ended before its answer was whole");
    }
    const HttpParser::Verdict verdict = parser.input(*bytes).verdict;
    if (verdict == HttpParser::Verdict::kComplete || enough()) return {};
    if (verdict != HttpParser::Verdict::kMore) {
      return fail(ErrorCode::kProtocol, "the answer is not one of migd's");
    }
  }
}

// Cuts what comes in into lines.
class LineCutter {
 public:
  explicit LineCutter(const std::function<bool(std::string_view)>& on_line) : on_line_(on_line) {}

  void input(std::string_view bytes) {
    partial_ += bytes;
    std::size_t begin = 0;
    for (std::size_t end; wanted_ && (end = partial_.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      wanted_ = on_line_(std::string_view(partial_).substr(begin, end - begin));
    }
    partial_.erase(0, begin);
  }
  bool wanted() const { return wanted_; }

 private:
  const std::function<bool(std::string_view)>& on_line_;
  std::string partial_;
  bool wanted_ = true;
};

}  // namespace

Result<AdminResponse> AdminClient::request(std::string_view method, std::string_view path,
                                           std::string_view body, Duration timeout) const {
  AdminSocket socket(Clock::now() + timeout);
  HttpParser parser(HttpParser::Kind::kResponse, kResponseLimits);
  const Result<void> done =
      socket.connect(socket_path_)
          .and_then([&] { return socket.send(request_text(method, path, body)); })
          .and_then([&] { return read_response(socket, parser, [] { return false; }); });
  if (!done) return tl::unexpected(done.error());
  return AdminResponse{parser.status(), parser.body()};
}

Result<void> AdminClient::lines(std::string_view path,
                                const std::function<bool(std::string_view)>& on_line) const {
  AdminSocket socket(std::nullopt);
  HttpParser parser(HttpParser::Kind::kResponse, kResponseLimits);
  LineCutter cutter(on_line);
  parser.on_body = [&](std::string_view bytes) {
    if (parser.status() == 200) cutter.input(bytes);
  };
  Result<void> done = socket.connect(socket_path_)
                          .and_then([&] { return socket.send(request_text("GET", path, "")); })
                          .and_then([&] {
                            return read_response(socket, parser, [&] { return !cutter.wanted(); });
                          });
  if (!done || !cutter.wanted()) return done;
  if (parser.status() != 200) {
    return fail(ErrorCode::kProtocol, fmt::format("the daemon answered {}", parser.status()));
  }
  return fail(ErrorCode::kUnavailable, "the daemon has ended");
}

}  // namespace migd
