// The hash of four-tuples for tables that strangers can fill: SipHash with the table's own key.
#pragma once

#include "base/address.h"
#include "base/siphash.h"

namespace migd {

struct FourTupleHash {
  SipKey key{};

  std::size_t operator()(const FourTuple& t) const {
    std::uint8_t raw[36];
    std::size_t n = 0;
    const auto put = [&](const Endpoint& end) {
      const ByteView address = end.address.bytes();
      std::memcpy(raw + n, address.data(), address.size());
      n += address.size();
      raw[n++] = static_cast<std::uint8_t>(end.port >> 8);
      raw[n++] = static_cast<std::uint8_t>(end.port);
    };
    put(t.local);
    put(t.peer);
    return siphash(key, {raw, n});
  }
};

}  // namespace migd
