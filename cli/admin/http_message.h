// One HTTP/1.1 message of the admin interface, request or response, out of a stream of bytes.
// llhttp does the parsing; the bounds are here.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace migd {

struct HttpLimits {
  std::size_t target_bytes_max = 2048;
  std::size_t header_bytes_max = 16u << 10;
  std::size_t body_bytes_max = 64u << 10;
};

class HttpParser {
 public:
  enum class Kind { kRequest, kResponse };
  enum class Verdict {
    kMore,      // everything was consumed, the message goes on
    kComplete,  // consumed up to the end of the message
    kBad,       // not HTTP/1.1
    kTargetTooLong,
    kHeaderTooLarge,
    kBodyTooLarge,
  };
  struct Progress {
    Verdict verdict;
    std::size_t consumed;
  };

  explicit HttpParser(Kind kind, HttpLimits limits = {});
  ~HttpParser();

  // To be called again with the rest after kComplete and reset().
  Progress input(std::string_view bytes);
  // The stream has ended: whether that is the end of the message.
  bool finish();
  void reset();

  // Valid from kComplete on; method, target and status as soon as head_complete().
  const std::string& method() const { return method_; }
  const std::string& target() const { return target_; }
  int status() const { return status_; }
  bool head_complete() const { return head_complete_; }
  bool begun() const { return begun_; }
  bool keep_alive() const { return keep_alive_; }
  const std::string& body() const { return body_; }

  // When set, gets the body piece by piece, which is then neither kept nor bounded.
  std::function<void(std::string_view)> on_body;

 private:
  struct Engine;  // llhttp and its callbacks, which call the following
  int add_target(std::string_view bytes);
  int add_header_bytes(std::size_t n);
  int add_body(std::string_view bytes);
  int refuse(Verdict why);

  std::unique_ptr<Engine> engine_;
  const Kind kind_;
  const HttpLimits limits_;
  Verdict refusal_ = Verdict::kMore;  // why a callback stopped llhttp
  std::size_t header_bytes_ = 0;
  std::size_t unseen_bytes_ = 0;
  std::string method_;
  std::string target_;
  int status_ = 0;
  bool begun_ = false;
  bool head_complete_ = false;
  bool complete_ = false;
  bool keep_alive_ = false;
  std::string body_;
};

}  // namespace migd
