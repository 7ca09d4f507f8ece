// The envelope around every application state that travels:
//
//    0               1               2               3
//   +---------------+---------------+---------------+---------------- - - -
//   | kind          | version       | ended, 0 or 1 | what the session of that kind writes
//   +---------------+---------------+---------------+---------------- - - -
//
// ended: the session has closed or aborted its connection and only waits for it to be gone.
//
// A state that is malformed in any way is refused whole, with the name of the rule it breaks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "app/options.h"
#include "base/reader.h"
#include "base/result.h"
#include "base/writer.h"

namespace migd {

struct StateTag {
  ApplicationKind kind;
  std::uint8_t version;
};

void write_envelope(ByteWriter& out, StateTag tag, bool ended);
// Reads the envelope, refuses kinds and versions other than `expected`, and returns `ended`.
Result<bool> read_envelope(BoundedReader& in, StateTag expected);

// A byte that is 0 or 1.
Result<bool> read_flag(BoundedReader& in, std::string_view what);
// A string of at most `bytes_max` bytes with its size in front (16 bits).
void write_string(ByteWriter& out, std::string_view text);
Result<std::string> read_string(BoundedReader& in, std::size_t bytes_max, std::string_view what);

// The error of a state that breaks `rule`.
tl::unexpected<Error> bad_state(std::string_view rule);

std::string_view to_string(ApplicationKind kind);

}  // namespace migd
