#include "app/http/chunk_decoder.h"

#include <algorithm>

#include "app/http/text.h"
#include "app/state.h"

namespace migd {

ChunkDecoder::Piece ChunkDecoder::next(ByteView in) {
  Piece piece;
  while (piece.taken < in.size() && !complete() && !malformed()) {
    if (state_ == State::kData) {
      const auto size =
          static_cast<std::size_t>(std::min<std::uint64_t>(size_, in.size() - piece.taken));
      piece.content = in.subspan(piece.taken, size);
      piece.taken += size;
      size_ -= size;
      if (size_ == 0) state_ = State::kDataCr;
      return piece;
    }
    state_ = after(in[piece.taken++]);
  }
  return piece;
}

ChunkDecoder::State ChunkDecoder::after(std::uint8_t byte) {
  const char c = static_cast<char>(byte);
  switch (state_) {
    case State::kSize:
      return after_size(c);
    case State::kExtension:
      return skip(c, State::kSizeLf, State::kExtension);
    case State::kSizeLf:
      return c == '\n' ? begin_chunk() : State::kMalformed;
    case State::kDataCr:
      return c == '\r' ? State::kDataLf : State::kMalformed;
    case State::kDataLf:
      counted_ = 0;
      return c == '\n' ? State::kSize : State::kMalformed;
    case State::kTrailerStart:
      return skip(c, State::kLastLf, State::kTrailer);
    case State::kTrailer:
      return skip(c, State::kTrailerLf, State::kTrailer);
    case State::kTrailerLf:
      return c == '\n' ? State::kTrailerStart : State::kMalformed;
    case State::kLastLf:
      return c == '\n' ? State::kComplete : State::kMalformed;
    case State::kData:
    case State::kComplete:
    case State::kMalformed:
      break;
  }
  return State::kMalformed;
}

ChunkDecoder::State ChunkDecoder::after_size(char c) {
  if (const auto digit = hex_digit(c)) {
    if (++counted_ > kDigitsMax) return State::kMalformed;
    size_ = size_ * 16 + *digit;
    return State::kSize;
  }
  if (counted_ == 0) return State::kMalformed;
  counted_ = 0;
  if (c == '\r') return State::kSizeLf;
  return c == ';' || c == ' ' || c == '\t' ? State::kExtension : State::kMalformed;
}

ChunkDecoder::State ChunkDecoder::skip(char c, State at_cr, State otherwise) {
  if (c == '\r') return at_cr;
  if (is_control(c) && c != '\t') return State::kMalformed;
  return ++counted_ > kSkippedMax ? State::kMalformed : otherwise;
}

ChunkDecoder::State ChunkDecoder::begin_chunk() {
  counted_ = 0;
  return size_ == 0 ? State::kTrailerStart : State::kData;
}

void ChunkDecoder::write_state(ByteWriter& out) const {
  out.u8(static_cast<std::uint8_t>(state_));
  out.u64(size_);
  out.u16(counted_);
}

Result<ChunkDecoder> ChunkDecoder::restore(BoundedReader& in) {
  const std::uint8_t state = in.u8();
  ChunkDecoder decoder;
  decoder.size_ = in.u64();
  decoder.counted_ = in.u16();
  if (!in.ok()) return bad_state("truncated");
  if (state > static_cast<std::uint8_t>(State::kMalformed)) return bad_state("unknown chunk state");
  decoder.state_ = static_cast<State>(state);
  const bool in_size = decoder.state_ == State::kSize;
  if (decoder.counted_ > (in_size ? kDigitsMax : std::size_t{kSkippedMax})) {
    return bad_state("chunk line is too long");
  }
  if (decoder.size_ >> (4 * kDigitsMax) != 0) return bad_state("chunk is too large");
  if (decoder.state_ == State::kData && decoder.size_ == 0) return bad_state("chunk has no rest");
  return decoder;
}

}  // namespace migd
