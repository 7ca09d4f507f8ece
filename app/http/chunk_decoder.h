// The chunked transfer coding (RFC 9112 section 7.1), one byte after the other, so that it may stop
// and travel between any two. (llhttp decodes it as well, but its state cannot be written down.)
// Strict: CRLF ends every line, sizes are at most 15 hexadecimal digits, extensions and trailers
// are skipped and bounded.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/reader.h"
#include "base/result.h"
#include "base/writer.h"

namespace migd {

class ChunkDecoder {
 public:
  struct Piece {
    std::size_t taken = 0;  // bytes of the input that are done with
    ByteView content;       // the part of those that belongs to the body
  };
  // Goes on until there is content to hand out, `in` is used up, or complete() or malformed().
  Piece next(ByteView in);

  bool complete() const { return state_ == State::kComplete; }
  bool malformed() const { return state_ == State::kMalformed; }

  // u8 state, u64 rest of the chunk or of its size so far, u16 bytes of digits, extensions or
  // trailers.
  void write_state(ByteWriter& out) const;
  static Result<ChunkDecoder> restore(BoundedReader& in);

 private:
  enum class State : std::uint8_t {
    kSize,       // hexadecimal digits; a first one has to come
    kExtension,  // behind them, up to CR
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerStart,  // of a line behind the last chunk: a trailer field, or CR
    kTrailer,
    kTrailerLf,
    kLastLf,
    kComplete,
    kMalformed,
  };
  static constexpr std::size_t kDigitsMax = 15;
  static constexpr std::uint16_t kSkippedMax = 8192;  // of one line's extensions, or all trailers

  State after(std::uint8_t byte);
  State after_size(char c);
  State skip(char c, State at_cr, State otherwise);
  State begin_chunk();

  State state_ = State::kSize;
  std::uint64_t size_ = 0;
  std::uint16_t counted_ = 0;
};

}  // namespace migd
