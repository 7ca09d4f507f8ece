#include "forwarder/http_request_parser.h"

#include <llhttp.h>

#include <algorithm>

namespace migd {
namespace {

constexpr std::string_view kHostField = "host";

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view without_white_space(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_space(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_space(text.back()))
    text.remove_suffix(1);
  return text;
}

}  // namespace

struct HttpRequestParser::State {
  explicit State(std::size_t max) : bytes_max(max) {
    llhttp_init(&parser, HTTP_REQUEST, &callbacks());
    parser.data = this;
  }

  static State& of(llhttp_t* llhttp) { return *static_cast<State*>(llhttp->data); }
  static const llhttp_settings_t& callbacks();

  // Matched as it comes, so that a field's name is never stored.
  void on_field_bytes(std::string_view bytes) {
    for (const char c : bytes) {
      const bool fits = field_size < kHostField.size() && lower(c) == kHostField[field_size];
      field_matches = field_matches && fits;
      ++field_size;
    }
  }
  bool field_is_host() const { return field_matches && field_size == kHostField.size(); }

  Outcome verdict(llhttp_errno_t error);

  std::size_t bytes_max;
  std::size_t fed = 0;
  Outcome outcome = Outcome::kIncomplete;
  bool head_complete = false;
  std::size_t field_size = 0;
  bool field_matches = true;
  int host_fields = 0;
  std::string target;
  std::string host;
  llhttp_t parser;
};

const llhttp_settings_t& HttpRequestParser::State::callbacks() {
  static const llhttp_settings_t settings = [] {
    llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_url = [](llhttp_t* llhttp, const char* at, std::size_t size) {
      of(llhttp).target.append(at, size);
      return 0;
    };
    s.on_header_field = [](llhttp_t* llhttp, const char* at, std::size_t size) {
      of(llhttp).on_field_bytes({at, size});
      return 0;
    };
    s.on_header_field_complete = [](llhttp_t* llhttp) {
      State& state = of(llhttp);
      state.host_fields += state.field_is_host() ? 1 : 0;
      return 0;
    };
    s.on_header_value = [](llhttp_t* llhttp, const char* at, std::size_t size) {
      State& state = of(llhttp);
      if (state.field_is_host()) state.host.append(at, size);
      return 0;
    };
    s.on_header_value_complete = [](llhttp_t* llhttp) {
      State& state = of(llhttp);
      state.field_size = 0;
      state.field_matches = true;
      return 0;
    };
    s.on_headers_complete = [](llhttp_t* llhttp) -> int {
      of(llhttp).head_complete = true;
      return HPE_PAUSED;  // what follows is not ours to judge
    };
    return s;
  }();
  return settings;
}

HttpRequestParser::Outcome HttpRequestParser::State::verdict(llhttp_errno_t error) {
  if (error == HPE_PAUSED_H2_UPGRADE) return Outcome::kHttp2;
  if (head_complete) {
    if (parser.method == HTTP_PRI) return Outcome::kHttp2;
    // llhttp also takes HTTP/0.9 and 2.0. RFC 9112 3.2: more than one Host field is an error. (None
    // is one as well, in HTTP/1.1; that is for the server to say.)
    return parser.http_major == 1 && host_fields <= 1 ? Outcome::kRequest : Outcome::kMalformed;
  }
  if (error != HPE_OK) return Outcome::kMalformed;
  return fed >= bytes_max ? Outcome::kTooLarge : Outcome::kIncomplete;
}

HttpRequestParser::HttpRequestParser(std::size_t bytes_max)
    : state_(std::make_unique<State>(bytes_max)) {}
HttpRequestParser::~HttpRequestParser() = default;
HttpRequestParser::HttpRequestParser(HttpRequestParser&&) noexcept = default;
HttpRequestParser& HttpRequestParser::operator=(HttpRequestParser&&) noexcept = default;

HttpRequestParser::Outcome HttpRequestParser::feed(ByteView bytes) {
  State& state = *state_;
  if (state.outcome != Outcome::kIncomplete) return state.outcome;
  bytes = bytes.first(std::min(bytes.size(), state.bytes_max - state.fed));
  const std::string_view text = as_text(bytes);
  state.fed += bytes.size();
  return state.outcome = state.verdict(llhttp_execute(&state.parser, text.data(), text.size()));
}

std::size_t HttpRequestParser::fed_bytes() const {
  return state_->fed;
}

std::string_view HttpRequestParser::method() const {
  return llhttp_method_name(static_cast<llhttp_method_t>(state_->parser.method));
}
std::string_view HttpRequestParser::target() const {
  return state_->target;
}
std::string_view HttpRequestParser::host() const {
  return without_white_space(state_->host);
}

}  // namespace migd
