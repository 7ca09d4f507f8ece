// The input of the fuzzer `blob`: a script, then a blob.
//
//   script size (2)  script ...  blob ...
#pragma once

#include "base/writer.h"
#include "tests/fuzz/input.h"

namespace migd::fuzz {

struct BlobInput {
  Bytes script;
  Bytes blob;

  static BlobInput parse(ByteView bytes) {
    Input in(bytes);
    const std::size_t script_size = in.u16();
    BlobInput parsed;
    parsed.script = to_bytes(in.bytes(script_size));
    parsed.blob = to_bytes(in.rest());
    return parsed;
  }
  Bytes serialize() const {
    Bytes bytes;
    ByteWriter out(bytes);
    out.u16(static_cast<std::uint16_t>(script.size()));
    out.bytes(script);
    out.bytes(blob);
    return bytes;
  }
};

}  // namespace migd::fuzz
