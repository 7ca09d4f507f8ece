#include "stack/receive_queue.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/check.h"
#include "stack/lwip_headers.h"

namespace migd {
namespace {

constexpr std::size_t kSmall = 256;            // pieces below this are copied together
constexpr std::size_t kGatherCapacity = 2048;  // into storage of this size

}  // namespace

struct ReceiveQueue::Piece {
  Piece* next = nullptr;
  pbuf* owner = nullptr;                    // of what `bytes` shows, or
  std::unique_ptr<std::uint8_t[]> storage;  // of `capacity` bytes, `bytes` being its used part
  std::size_t capacity = 0;
  std::uint8_t* begin = nullptr;
  std::uint8_t* end = nullptr;

  std::size_t size() const { return static_cast<std::size_t>(end - begin); }
  std::size_t room() const {
    return storage ? static_cast<std::size_t>(storage.get() + capacity - end) : 0;
  }
  ~Piece() {
    if (owner != nullptr) pbuf_free(owner);
  }
};

ReceiveQueue::~ReceiveQueue() {
  clear();
  settle();
}

void ReceiveQueue::push_back(Piece* piece) {
  (tail_ != nullptr ? tail_->next : head_) = piece;
  tail_ = piece;
}

void ReceiveQueue::pop_front() {
  Piece* const gone = head_;
  head_ = gone->next;
  if (head_ == nullptr) tail_ = nullptr;
  delete gone;
}

void ReceiveQueue::gather(ByteView bytes) {
  if (tail_ == nullptr || tail_->room() < bytes.size()) {
    auto* piece = new Piece;
    piece->capacity = std::max(kGatherCapacity, bytes.size());
    piece->storage.reset(new std::uint8_t[piece->capacity]);
    piece->begin = piece->end = piece->storage.get();
    push_back(piece);
  }
  std::memcpy(tail_->end, bytes.data(), bytes.size());
  tail_->end += bytes.size();
}

void ReceiveQueue::append(pbuf* chain) {
  while (chain != nullptr) {
    pbuf* const p = chain;
    chain = p->next;
    p->next = nullptr;
    p->tot_len = p->len;
    auto* const bytes = static_cast<std::uint8_t*>(p->payload);
    size_ += p->len;
    if (p->len < kSmall) {
      if (p->len > 0) gather({bytes, p->len});
      p->next = copied_;
      copied_ = p;
    } else {
      auto* piece = new Piece;
      piece->owner = p;
      piece->begin = bytes;
      piece->end = bytes + p->len;
      push_back(piece);
    }
  }
}

void ReceiveQueue::settle() {
  while (copied_ != nullptr) {
    pbuf* const p = copied_;
    copied_ = p->next;
    p->next = nullptr;
    pbuf_free(p);
  }
}

void ReceiveQueue::append_copy(ByteView bytes) {
  if (bytes.empty()) return;
  gather(bytes);
  size_ += bytes.size();
}

std::size_t ReceiveQueue::peek(std::size_t offset, MutableBytes out) const {
  std::size_t copied = 0;
  for (const Piece* piece = head_; piece != nullptr && copied < out.size(); piece = piece->next) {
    if (offset >= piece->size()) {
      offset -= piece->size();
      continue;
    }
    const std::size_t n = std::min(piece->size() - offset, out.size() - copied);
    std::memcpy(out.data() + copied, piece->begin + offset, n);
    copied += n;
    offset = 0;
  }
  return copied;
}

ByteView ReceiveQueue::front() const {
  if (head_ == nullptr) return {};
  return {head_->begin, head_->size()};
}

void ReceiveQueue::consume(std::size_t n) {
  MIGD_CHECK(n <= size_);
  size_ -= n;
  while (n > 0) {
    const std::size_t taken = std::min(n, head_->size());
    head_->begin += taken;
    n -= taken;
    if (head_->size() == 0) pop_front();
  }
}

void ReceiveQueue::clear() {
  while (head_ != nullptr)
    pop_front();
  size_ = 0;
}

}  // namespace migd
