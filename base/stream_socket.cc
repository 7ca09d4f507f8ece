#include "base/stream_socket.h"

#include <sys/un.h>

#include <charconv>

namespace migd {
namespace {

constexpr std::size_t kUnixPathMax = sizeof(sockaddr_un::sun_path) - 1;

Result<StreamAddress> parse_tcp(std::string_view text, std::string_view rest) {
  const auto bad = [&] {
    return fail(ErrorCode::kInvalidArgument,
                "'" + std::string(text) + "' is not tcp:HOST:PORT (IPv6: tcp:[HOST]:PORT)");
  };
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos) return bad();
  std::string_view host = rest.substr(0, colon);
  const std::string_view port_text = rest.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.empty() || host.find_first_of(":[]") != std::string_view::npos) {
    return bad();
  }
  std::uint16_t port = 0;
  const auto [end, error] =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc{} || end != port_text.data() + port_text.size()) return bad();
  return StreamAddress{StreamAddress::Kind::kTcp, std::string(host), port};
}

}  // namespace

Result<StreamAddress> StreamAddress::parse(std::string_view text) {
  constexpr std::string_view kTcpPrefix = "tcp:", kUnixPrefix = "unix:";
  if (text.starts_with(kTcpPrefix)) return parse_tcp(text, text.substr(kTcpPrefix.size()));
  if (text.starts_with(kUnixPrefix)) {
    const std::string_view path = text.substr(kUnixPrefix.size());
    if (path.empty() || path.size() > kUnixPathMax) {
      return fail(ErrorCode::kInvalidArgument, "'" + std::string(text) + "': a path of 1 to " +
                                                   std::to_string(kUnixPathMax) +
                                                   " bytes is expected after unix:");
    }
    return StreamAddress{Kind::kUnix, std::string(path), 0};
  }
  return fail(ErrorCode::kInvalidArgument,
              "'" + std::string(text) + "' is neither tcp:HOST:PORT nor unix:PATH");
}

std::string StreamAddress::to_string() const {
  if (kind == Kind::kUnix) return "unix:" + host_or_path;
  const bool ipv6 = host_or_path.find(':') != std::string::npos;
  return "tcp:" + (ipv6 ? "[" + host_or_path + "]" : host_or_path) + ":" + std::to_string(port);
}

}  // namespace migd
