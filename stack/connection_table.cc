#include "stack/connection_table.h"

#include <cstring>

#include "base/check.h"

namespace migd {

std::size_t ConnectionTable::Hash::operator()(const FourTuple& tuple) const {
  std::uint8_t bytes[2 * (16 + 2)];
  std::size_t size = 0;
  for (const Endpoint* end : {&tuple.local, &tuple.peer}) {
    const ByteView address = end->address.bytes();
    std::memcpy(bytes + size, address.data(), address.size());
    size += address.size();
    bytes[size++] = static_cast<std::uint8_t>(end->port >> 8);
    bytes[size++] = static_cast<std::uint8_t>(end->port);
  }
  return siphash(key, {bytes, size});
}

void ConnectionTable::insert(TcpConnection& connection) {
  MIGD_CHECK(by_tuple_.insert(&connection).second);
  MIGD_CHECK(by_id_.insert(&connection).second);
}

void ConnectionTable::erase(TcpConnection& connection) {
  MIGD_CHECK(by_tuple_.erase(&connection) == 1);
  MIGD_CHECK(by_id_.erase(&connection) == 1);
}

}  // namespace migd
