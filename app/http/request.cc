#include "app/http/request.h"

#include <algorithm>
#include <utility>

#include "app/http/text.h"

namespace migd {
namespace {

// Takes the line at the front, without its CRLF; nothing when there is a bare CR or LF in it.
std::optional<std::string_view> take_line(std::string_view& rest) {
  const std::size_t end = rest.find_first_of("\r\n");
  if (end == std::string_view::npos || rest.substr(end, 2) != "\r\n") return std::nullopt;
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 2);
  return line;
}

bool is_version(std::string_view text) {
  return text.size() == 8 && text.substr(0, 5) == "HTTP/" && is_digit(text[5]) && text[6] == '.' &&
         is_digit(text[7]);
}

std::optional<HttpStatus> split_request_line(std::string_view line, HttpRequest& request) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return HttpStatus::kBadRequest;
  request.method = line.substr(0, first);
  request.target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(request.method) || request.target.empty() || !is_version(version) ||
      request.target.find(' ') != std::string_view::npos) {
    return HttpStatus::kBadRequest;
  }
  if (version != "HTTP/1.0" && version != "HTTP/1.1") return HttpStatus::kHttpVersionNotSupported;
  request.http_1_0 = version == "HTTP/1.0";
  return std::nullopt;
}

bool is_field_char(char c) {
  return c == '\t' || !is_control(c);
}

std::optional<HttpField> split_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const HttpField field{line.substr(0, colon), trim(line.substr(colon + 1))};
  if (!is_token(field.name)) return std::nullopt;
  if (!std::all_of(field.value.begin(), field.value.end(), is_field_char)) return std::nullopt;
  return field;
}

std::optional<HttpStatus> split_fields(std::string_view rest, HttpRequest& request) {
  while (const auto line = take_line(rest)) {
    if (line->empty()) return std::nullopt;
    const auto field = split_field(*line);
    if (!field) return HttpStatus::kBadRequest;
    request.fields.push_back(*field);
  }
  return HttpStatus::kBadRequest;
}

bool host_is_sound(const HttpRequest& request) {
  const std::size_t hosts = request.count("Host");
  return hosts == 1 || (hosts == 0 && request.http_1_0);
}

}  // namespace

std::optional<std::string_view> HttpRequest::field(std::string_view name) const {
  for (const HttpField& candidate : fields) {
    if (equal_without_case(candidate.name, name)) return candidate.value;
  }
  return std::nullopt;
}

std::size_t HttpRequest::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(fields.begin(), fields.end(),
                    [&](const HttpField& f) { return equal_without_case(f.name, name); }));
}

tl::expected<HttpRequest, HttpStatus> split_head(Bytes head) {
  HttpRequest request;
  request.text = std::move(head);
  std::string_view rest = as_text(request.text);
  std::optional<std::string_view> line = take_line(rest);
  while (line && line->empty() && !rest.empty())
    line = take_line(rest);  // RFC 9112 2.2
  if (!line) return tl::unexpected(HttpStatus::kBadRequest);
  if (const auto refusal = split_request_line(*line, request)) return tl::unexpected(*refusal);
  if (const auto refusal = split_fields(rest, request)) return tl::unexpected(*refusal);
  if (!host_is_sound(request)) return tl::unexpected(HttpStatus::kBadRequest);
  return request;
}

}  // namespace migd
