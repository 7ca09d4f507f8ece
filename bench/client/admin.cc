#include "bench/client/admin.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "bench/support/system.h"

namespace migd::bench {

AdminConnection::AdminConnection(const std::string& socket_path)
    : fd_(check(socket(AF_UNIX, SOCK_STREAM, 0), "socket")),
      parser_(HttpParser::Kind::kResponse, {2048, 64u << 10, std::size_t{1} << 28}) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) die(socket_path + ": too long a path");
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
  check(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address),
        socket_path.c_str());
}

AdminConnection::~AdminConnection() {
  close(fd_);
}

void AdminConnection::send(const char* method, const char* path, const std::string& body) {
  const std::string text =
      fmt::format("{} {} HTTP/1.1\r\nHost: migd\r\nContent-Length: {}\r\n\r\n{}", method, path,
                  body.size(), body);
  if (::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size())) {
    die("the admin socket takes no request");
  }
}

bool AdminConnection::receive() {
  char buffer[1 << 16];
  const int size = check(recv(fd_, buffer, sizeof buffer, 0), "recv from the admin socket");
  if (size == 0) die("the daemon has closed the admin connection");
  const auto verdict = parser_.input({buffer, static_cast<std::size_t>(size)}).verdict;
  if (verdict == HttpParser::Verdict::kMore) return false;
  if (verdict != HttpParser::Verdict::kComplete) die("the answer is not one of migd's");
  return true;
}

Answer AdminConnection::take_answer() {
  Answer answer{parser_.status(), parser_.body()};
  parser_.reset();
  return answer;
}

Answer AdminConnection::ask(const char* method, const char* path, const std::string& body) {
  send(method, path, body);
  while (!receive()) {
  }
  return take_answer();
}

std::vector<OwnConnection> connections_of(const std::string& node, AdminConnection& admin) {
  const Answer answer = admin.ask("GET", "/v1/conns");
  const auto json = nlohmann::json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
  if (answer.status != 200 || !json.contains("connections")) die("no list of connections");
  std::vector<OwnConnection> found;
  for (const auto& row : json["connections"]) {
    if (row.value("owner", "") == node)
      found.push_back({row.value("id", ""), row.value("peer", "")});
  }
  return found;
}

std::string migrate_body(const std::string& id, const std::string& target) {
  return nlohmann::json{{"id", id}, {"to", target}, {"wait", true}}.dump();
}

}  // namespace migd::bench
