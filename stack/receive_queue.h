// What was received in order and not consumed yet. Large pieces stay in the buffers they came in;
// small ones are copied together, for a peer that sends single bytes must not cost a buffer each.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

struct pbuf;

namespace migd {

class ReceiveQueue {
 public:
  ReceiveQueue() = default;
  ~ReceiveQueue();
  ReceiveQueue(const ReceiveQueue&) = delete;
  ReceiveQueue& operator=(const ReceiveQueue&) = delete;

  // Takes a chain of buffers. Calls nothing of lwIP, for lwIP calls it: what it copied from waits
  // for settle().
  void append(pbuf* chain);
  void settle();
  void append_copy(ByteView bytes);

  std::size_t size() const { return size_; }
  std::size_t peek(std::size_t offset, MutableBytes out) const;  // returns how many it copied
  ByteView front() const;
  void consume(std::size_t n);  // CHECKs n <= size()
  void clear();

 private:
  struct Piece;

  void push_back(Piece* piece);
  void pop_front();
  void gather(ByteView bytes);

  Piece* head_ = nullptr;
  Piece* tail_ = nullptr;
  pbuf* copied_ = nullptr;  // linked through pbuf::next
  std::size_t size_ = 0;
};

}  // namespace migd
