#include "base/known_flows.h"

#include <array>
#include <cstring>

#include "base/check.h"
#include "base/packet.h"

namespace migd {
namespace {

constexpr std::uint8_t kMany = 0xff;  // counted so far and no further: known for good

}  // namespace

// Word for word as the kernel's program has it. The words are as they stand in the packet.
std::uint64_t KnownFlows::mix(std::uint64_t hash, ByteView words) const {
  for (std::size_t at = 0; at < words.size(); at += 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, &words[at], sizeof word);
    hash = (hash ^ word) * secret_.factor;
    hash ^= hash >> 32;
  }
  return hash;
}

std::uint64_t KnownFlows::hash(const IpAddress& destination) const {
  return mix(secret_.start, destination.bytes());
}

std::uint64_t KnownFlows::hash(const FourTuple& flow) const {
  std::array<std::uint8_t, 4> ports;
  store_u16(&ports[0], flow.peer.port);
  store_u16(&ports[2], flow.local.port);
  return mix(mix(hash(flow.local.address), flow.peer.address.bytes()), ports);
}

void KnownFlows::add(const FourTuple& flow) {
  ++added_;
  if (std::uint8_t& count = slot(hash(flow)); count != kMany) ++count;
}

void KnownFlows::remove(const FourTuple& flow) {
  std::uint8_t& count = slot(hash(flow));
  MIGD_CHECK(count > 0);
  if (count != kMany) --count;
}

void KnownFlows::add_destination(const IpAddress& address) {
  slot(hash(address)) = kMany;
}

bool KnownFlows::knows(const FourTuple& flow) const {
  return slot(hash(flow.local.address)) != 0 || slot(hash(flow)) != 0;
}

}  // namespace migd
