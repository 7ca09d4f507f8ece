// Reads the head of an HTTP/1.x request (RFC 9112) as it arrives, byte by byte if need be, and
// keeps what rules look at. llhttp does the parsing, with every leniency off.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace migd {

class HttpRequestParser {
 public:
  enum class Outcome : std::uint8_t {
    kIncomplete,  // the head goes on
    kRequest,     // the head is complete
    kMalformed,   // not HTTP/1.x, or ambiguous
    kTooLarge,    // the head is longer than bytes_max
    kHttp2,       // the connection preface of HTTP/2 (RFC 9113 3.4)
  };

  explicit HttpRequestParser(std::size_t bytes_max);
  ~HttpRequestParser();
  HttpRequestParser(HttpRequestParser&&) noexcept;
  HttpRequestParser& operator=(HttpRequestParser&&) noexcept;

  // The bytes that follow those fed before. Once the outcome is not kIncomplete it stays.
  Outcome feed(ByteView bytes);
  // How many were fed: where the next feed() goes on in the stream.
  std::size_t fed_bytes() const;

  // Valid after kRequest.
  std::string_view method() const;
  std::string_view target() const;  // of the request line, in whatever form
  std::string_view host() const;    // the Host field; empty when there was none

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace migd
