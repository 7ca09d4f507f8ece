#include "stack/handshake_segment.h"

#include "base/writer.h"

namespace migd {
namespace {

// Each is padded to four bytes.
Bytes write_options(const HandshakeSegment& segment) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u32(0x02040000u | segment.options.mss);
  if (segment.options.timestamps) {
    out.u32(0x0101080a);
    out.u32(segment.timestamps.value);
    out.u32(segment.timestamps.echo);
  }
  if (segment.options.window_scale) out.u32(0x01030300u | *segment.options.window_scale);
  if (segment.options.sack) out.u32(0x01010402);
  return bytes;
}

}  // namespace

Bytes write_segment(const HandshakeSegment& segment) {
  const Bytes options = write_options(segment);
  Bytes bytes;
  ByteWriter out(bytes);
  out.u16(segment.src_port);
  out.u16(segment.dst_port);
  out.u32(segment.seq.value());
  out.u32(segment.ack.value());
  out.u8(static_cast<std::uint8_t>((TcpView::kMinSize + options.size()) / 4 << 4));
  out.u8(segment.flags);
  out.u16(segment.window);
  out.u32(0);  // checksum, urgent pointer
  out.bytes(options);
  return bytes;
}

}  // namespace migd
