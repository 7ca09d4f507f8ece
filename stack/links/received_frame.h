// Shared by links that read into frames of the largest size.
#pragma once

#include <utility>

#include "base/frame.h"

namespace migd {

// The first `size` bytes that were read into `buffer`, as a frame: a small packet is copied into a
// small frame, a large one keeps the buffer, which then is empty.
inline Frame take_received(FramePool& pool, Frame& buffer, std::size_t size) {
  if (size + Frame::kHeadroom <= FramePool::kSmall) return pool.copy_of(buffer.bytes().first(size));
  buffer.truncate(size);
  return std::exchange(buffer, Frame());
}

}  // namespace migd
