#include "base/frame.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace migd {
namespace {

// Buffers of a class kept for reuse: what many connections at once have needed is given back.
constexpr std::size_t kFreeSmallMax = 512;
constexpr std::size_t kFreeLargeMax = 32;  // 2 MiB

std::uint32_t capacity_for(std::size_t size) {
  const std::size_t needed = size + Frame::kHeadroom;
  return static_cast<std::uint32_t>(
      needed <= FramePool::kSmall ? FramePool::kSmall : FramePool::kLargest + Frame::kHeadroom);
}

}  // namespace

Frame::~Frame() {
  if (buffer_ != nullptr) pool_->give_back(buffer_, capacity_);
}

void Frame::swap(Frame& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(buffer_, other.buffer_);
  std::swap(capacity_, other.capacity_);
  std::swap(offset_, other.offset_);
  std::swap(size_, other.size_);
  std::swap(offload, other.offload);
}

MutableBytes Frame::prepend(std::size_t n) {
  MIGD_CHECK(n <= headroom());
  offset_ -= static_cast<std::uint32_t>(n);
  size_ += static_cast<std::uint32_t>(n);
  return mutable_bytes().first(n);
}

MutableBytes Frame::append(std::size_t n) {
  MIGD_CHECK(n <= tailroom());
  size_ += static_cast<std::uint32_t>(n);
  return mutable_bytes().last(n);
}

void Frame::trim_front(std::size_t n) {
  MIGD_CHECK(n <= size_);
  offset_ += static_cast<std::uint32_t>(n);
  size_ -= static_cast<std::uint32_t>(n);
}

void Frame::truncate(std::size_t new_size) {
  MIGD_CHECK(new_size <= size_);
  size_ = static_cast<std::uint32_t>(new_size);
}

Frame Frame::clone() const {
  Frame copy = pool_->copy_of(bytes());
  copy.offload = offload;
  return copy;
}

FramePool::~FramePool() {
  for (std::uint8_t* buffer : free_small_)
    delete[] buffer;
  for (std::uint8_t* buffer : free_large_)
    delete[] buffer;
}

Frame FramePool::allocate(std::size_t size) {
  MIGD_CHECK(size <= kLargest);
  Frame frame;
  frame.capacity_ = capacity_for(size);
  auto& free = frame.capacity_ == kSmall ? free_small_ : free_large_;
  if (free.empty()) {
    frame.buffer_ = new std::uint8_t[frame.capacity_];
  } else {
    frame.buffer_ = free.back();
    free.pop_back();
  }
  lent_ += frame.capacity_;
  frame.pool_ = shared_from_this();
  frame.offset_ = Frame::kHeadroom;
  frame.size_ = static_cast<std::uint32_t>(size);
  return frame;
}

Frame FramePool::copy_of(ByteView bytes) {
  Frame frame = allocate(bytes.size());
  std::copy(bytes.begin(), bytes.end(), frame.data());
  return frame;
}

void FramePool::give_back(std::uint8_t* buffer, std::uint32_t capacity) {
  lent_ -= capacity;
  auto& free = capacity == kSmall ? free_small_ : free_large_;
  if (free.size() < (capacity == kSmall ? kFreeSmallMax : kFreeLargeMax)) {
    free.push_back(buffer);
  } else {
    delete[] buffer;
  }
}

}  // namespace migd
