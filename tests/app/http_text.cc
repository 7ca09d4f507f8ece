#include "tests/app/http_text.h"

namespace migd {
namespace {

// Reads one reply at the front of `rest`; false when it is not all there.
bool take_reply(std::string& rest, bool head_only, HttpReply& reply) {
  const std::size_t end = rest.find("\r\n\r\n");
  if (end == std::string::npos || rest.substr(0, 9) != "HTTP/1.1 ") return false;
  reply.status = std::stoi(rest.substr(9, 3));
  std::size_t at = rest.find("\r\n") + 2;
  while (at < end) {
    const std::size_t line_end = rest.find("\r\n", at);
    const std::string line = rest.substr(at, line_end - at);
    const std::size_t colon = line.find(": ");
    reply.fields[line.substr(0, colon)] = line.substr(colon + 2);
    at = line_end + 2;
  }
  const std::string length = reply.field("Content-Length");
  const std::size_t content = head_only || length.empty() ? 0 : std::stoul(length);
  if (rest.size() < end + 4 + content) return false;
  reply.content = rest.substr(end + 4, content);
  rest.erase(0, end + 4 + content);
  return true;
}

}  // namespace

std::vector<HttpReply> split_replies(const std::string& received,
                                     const std::vector<bool>& head_only, std::string* rest) {
  std::vector<HttpReply> replies;
  std::string left = received;
  HttpReply reply;
  while (!left.empty()) {
    const bool head = replies.size() < head_only.size() && head_only[replies.size()];
    reply = HttpReply();
    if (!take_reply(left, head, reply)) break;
    replies.push_back(reply);
  }
  if (rest != nullptr) *rest = left;
  return replies;
}

Outcome exchange(TwoNodes& nodes, const std::string& application, const std::string& request) {
  Script script;
  script.application = application;
  script.sends = to_bytes(as_bytes(request));
  return play(nodes, script);
}

std::string text_of(const Outcome& outcome) {
  return std::string(as_text(outcome.received));
}

}  // namespace migd
