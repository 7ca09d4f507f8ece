#include "cli/admin/http_response.h"

#include <fmt/format.h>

#include "base/check.h"

namespace migd {
namespace {

std::string head(int status, std::string_view content_type, std::string_view framing,
                 bool keep_alive) {
  return fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\n{}\r\n{}\r\n", status,
                     http_reason(status), content_type, framing,
                     keep_alive ? "" : "Connection: close\r\n");
}

}  // namespace

std::string_view http_reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Internal Server Error";
  }
}

std::string http_response(int status, std::string_view content_type, std::string_view body,
                          bool keep_alive, std::string_view more_headers) {
  const std::string framing = fmt::format("{}Content-Length: {}", more_headers, body.size());
  return head(status, content_type, framing, keep_alive) + std::string(body);
}

std::string http_chunked_head(int status, std::string_view content_type, bool keep_alive) {
  return head(status, content_type, "Transfer-Encoding: chunked", keep_alive);
}

std::string http_chunk(std::string_view data) {
  MIGD_CHECK(!data.empty());
  return fmt::format("{:x}\r\n{}\r\n", data.size(), data);
}

std::string http_last_chunk() {
  return "0\r\n\r\n";
}

}  // namespace migd
