#include "app/http/body_decoder.h"

#include <algorithm>

#include "app/state.h"

namespace migd {

BodyDecoder::Piece BodyDecoder::next(ByteView in) {
  if (chunked_) return chunks_.next(in);
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(rest_, in.size()));
  rest_ -= size;
  return {size, in.first(size)};
}

void BodyDecoder::write_state(ByteWriter& out) const {
  out.u8(chunked_ ? 1 : 0);
  out.u64(rest_);
  if (chunked_) chunks_.write_state(out);
}

Result<BodyDecoder> BodyDecoder::restore(BoundedReader& in) {
  const Result<bool> chunked = read_flag(in, "chunked");
  if (!chunked) return tl::unexpected(chunked.error());
  BodyDecoder decoder;
  decoder.chunked_ = *chunked;
  decoder.rest_ = in.u64();
  if (decoder.chunked_) {
    Result<ChunkDecoder> chunks = ChunkDecoder::restore(in);
    if (!chunks) return tl::unexpected(chunks.error());
    decoder.chunks_ = *chunks;
  }
  return decoder;
}

}  // namespace migd
