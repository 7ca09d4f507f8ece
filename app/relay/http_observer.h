// HttpObserver watches both directions of a relayed connection and knows when it stands between two
// HTTP/1.1 requests: every request is complete and has its complete response, and both sides meant
// to go on. Then the local connection carries nothing that another one would not, and the client's
// may move.
//
// It only looks. As soon as the bytes are not HTTP/1.1 as it understands it, are upgraded to
// something else, or come in an order that HTTP does not have, it has lost track, for good. A
// client that deceives it deceives nobody but itself.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"

struct llhttp__internal_s;

namespace migd {

class HttpObserver {
 public:
  HttpObserver();
  ~HttpObserver();
  HttpObserver(HttpObserver&&) = delete;

  // A request is to be shown before any byte of its response.
  void on_request_bytes(ByteView bytes);
  void on_response_bytes(ByteView bytes);

  bool between_requests() const {
    return !lost_ && !last_ && !in_request_ && !in_response_ && awaited_.empty();
  }
  bool lost() const { return lost_; }

 private:
  struct Callbacks;
  enum class Awaited : std::uint8_t { kResponse, kResponseToHead };
  static constexpr std::size_t kPipelinedMax = 128;

  void watch(llhttp__internal_s& parser, ByteView bytes);

  std::unique_ptr<llhttp__internal_s> requests_;
  std::unique_ptr<llhttp__internal_s> responses_;
  std::vector<Awaited> awaited_;  // what the server owes, in order
  bool in_request_ = false;
  bool in_response_ = false;
  bool last_ = false;  // one side has said that it will close
  bool lost_ = false;
};

}  // namespace migd
