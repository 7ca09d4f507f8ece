#include "stack/links/pcap_link.h"

#include <algorithm>
#include <utility>

namespace migd {

PcapLink::PcapLink(std::unique_ptr<Link> device, std::unique_ptr<PcapWriter> writer,
                   const EventLoop& loop, Duration time_offset)
    : device_(std::move(device)),
      writer_(std::move(writer)),
      loop_(loop),
      time_offset_(time_offset) {
  device_->set_receiver(this);
}

void PcapLink::record(const Frame& frame, Instant now) {
  last_ = std::max(last_, now);
  writer_->write(last_.time_since_epoch() + time_offset_, frame.bytes());
}

void PcapLink::send(Frame frame) {
  record(frame, loop_.now());
  device_->send(std::move(frame));
}

void PcapLink::on_frame(Frame frame, Instant now) {
  record(frame, now);
  if (receiver_ != nullptr) receiver_->on_frame(std::move(frame), now);
}

void PcapLink::on_batch_end(Instant now) {
  if (receiver_ != nullptr) receiver_->on_batch_end(now);
  writer_->flush();  // at most the last batch is missing when the process is killed
}

}  // namespace migd
