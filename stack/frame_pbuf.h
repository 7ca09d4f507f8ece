// Frames as lwIP's buffers.
#pragma once

#include "base/frame.h"
#include "stack/lwip_headers.h"

namespace migd {

// The TCP segment at `tcp_offset` of the packet in `frame`. A large one keeps the frame and copies
// nothing (the frame is then moved from); a small one is copied, so that a few bytes of data do not
// hold a whole frame. Null when memory has run out.
pbuf* make_segment_pbuf(Frame& frame, std::size_t tcp_offset);

}  // namespace migd
