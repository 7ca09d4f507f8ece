#include "stack/frame_pbuf.h"

#include <cstring>
#include <new>
#include <utility>

namespace migd {
namespace {

constexpr std::size_t kCopyBelow = 512;

struct FramePbuf {
  pbuf_custom custom;  // first: lwIP hands back a pointer to it
  Frame frame;
};

void release(pbuf* p) {
  delete reinterpret_cast<FramePbuf*>(p);
}

pbuf* copy_of(ByteView segment) {
  pbuf* p = pbuf_alloc(PBUF_RAW, static_cast<u16_t>(segment.size()), PBUF_RAM);
  if (p != nullptr) std::memcpy(p->payload, segment.data(), segment.size());
  return p;
}

}  // namespace

pbuf* make_segment_pbuf(Frame& frame, std::size_t tcp_offset) {
  const ByteView segment = frame.bytes().subspan(tcp_offset);
  if (segment.size() < kCopyBelow) return copy_of(segment);

  auto* holder = new (std::nothrow) FramePbuf{{}, std::move(frame)};
  if (holder == nullptr) return nullptr;
  holder->custom.custom_free_function = release;
  const auto size = static_cast<u16_t>(segment.size());
  return pbuf_alloced_custom(PBUF_RAW, size, PBUF_REF, &holder->custom,
                             holder->frame.data() + tcp_offset, size);
}

}  // namespace migd
