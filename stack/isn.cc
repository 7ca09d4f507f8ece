#include "stack/isn.h"

#include "base/writer.h"

namespace migd {

SeqNum initial_sequence_number(const SipKey& key, const FourTuple& tuple, Instant now) {
  Bytes bytes;
  ByteWriter writer(bytes);
  write_four_tuple(writer, tuple);
  const auto clock = static_cast<std::uint32_t>(to_microseconds(now.time_since_epoch()) / 4);
  return SeqNum(clock + static_cast<std::uint32_t>(siphash(key, bytes)));
}

}  // namespace migd
