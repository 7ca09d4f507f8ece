// The body of a request, by whichever of the two ways it is delimited (RFC 9112 section 6.3).
#pragma once

#include "app/http/chunk_decoder.h"
#include "app/http/request.h"

namespace migd {

class BodyDecoder {
 public:
  BodyDecoder() = default;  // no body: complete
  explicit BodyDecoder(const HttpRequest& request)
      : chunked_(request.chunked), rest_(request.content_length) {}

  using Piece = ChunkDecoder::Piece;
  Piece next(ByteView in);

  bool complete() const { return chunked_ ? chunks_.complete() : rest_ == 0; }
  bool malformed() const { return chunked_ && chunks_.malformed(); }
  // How much is still to come is known, and is at most this.
  bool ends_within(std::uint64_t bytes) const { return !chunked_ && rest_ <= bytes; }

  // u8 chunked, u64 rest of the length, and the chunk decoder's state if chunked.
  void write_state(ByteWriter& out) const;
  static Result<BodyDecoder> restore(BoundedReader& in);

 private:
  bool chunked_ = false;
  std::uint64_t rest_ = 0;
  ChunkDecoder chunks_;
};

}  // namespace migd
