#include "app/relay/proxy_header.h"

#include "base/writer.h"

namespace migd {
namespace {

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::uint8_t kVersion2Proxy = 0x21, kTcp4 = 0x11, kTcp6 = 0x21, kUniqueId = 0x05;
constexpr std::uint16_t kConnectionIdBytes = 16;

}  // namespace

Bytes proxy_header(const FourTuple& tuple, const ConnectionId& id) {
  Bytes header;
  ByteWriter out(header);
  out.bytes(as_bytes(kSignature));
  out.u8(kVersion2Proxy);
  out.u8(tuple.local.address.is_v4() ? kTcp4 : kTcp6);
  const std::size_t length = out.reserve(2);
  const std::size_t begin = out.size();
  out.bytes(tuple.peer.address.bytes());
  out.bytes(tuple.local.address.bytes());
  out.u16(tuple.peer.port);
  out.u16(tuple.local.port);
  out.u8(kUniqueId);
  out.u16(kConnectionIdBytes);
  id.write(out);
  out.set_u16(length, static_cast<std::uint16_t>(out.size() - begin));
  return header;
}

}  // namespace migd
