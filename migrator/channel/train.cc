#include "migrator/channel/train.h"

#include "base/check.h"

namespace migd::channel {

void Train::start(const Endpoint& to) {
  MIGD_CHECK(buffer_.empty());
  to_ = to;
  buffer_.reserve(bytes_max_);
}

void Train::end_datagram() {
  const std::size_t size = buffer_.size() - begin_;
  MIGD_CHECK(size > 0);
  if (begin_ > 0 && (size > segment_ || buffer_.size() > bytes_max_)) send_first(begin_);
  if (begin_ == 0) segment_ = size;
  begin_ = buffer_.size();
  if (size < segment_) flush();
}

void Train::send_first(std::size_t bytes) {
  sender_.send(to_, ByteView(buffer_).first(bytes), segment_);
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(bytes));
  begin_ = 0;
}

void Train::flush() {
  if (begin_ > 0) send_first(begin_);
}

}  // namespace migd::channel
