#include "stack/links/fault_link.h"

#include <algorithm>
#include <utility>

#include "stack/links/segmenter.h"

namespace migd {

FaultLink::FaultLink(std::unique_ptr<Link> device, EventLoop& loop, std::shared_ptr<FramePool> pool,
                     const FaultOptions& outgoing, Rng& outgoing_rng, const FaultOptions& incoming,
                     Rng& incoming_rng)
    : device_(std::move(device)),
      loop_(loop),
      pool_(std::move(pool)),
      outgoing_(outgoing, outgoing_rng,
                [this](Frame frame, Instant) { device_->send(std::move(frame)); }),
      incoming_(incoming, incoming_rng,
                [this](Frame frame, Instant now) {
                  if (receiver_ != nullptr) receiver_->on_frame(std::move(frame), now);
                }),
      timer_(loop.make_timer([this] { on_deadline(); })) {
  device_->set_receiver(this);
}

void FaultLink::send(Frame frame) {
  const Instant now = loop_.now();
  const auto cut = segment(std::move(frame), *pool_,
                           [&](Frame packet) { outgoing_.input(std::move(packet), now); });
  if (!cut) ++frames_uncut_;
  arm();
}

void FaultLink::on_frame(Frame frame, Instant now) {
  const auto cut = segment(std::move(frame), *pool_,
                           [&](Frame packet) { incoming_.input(std::move(packet), now); });
  if (!cut) ++frames_uncut_;
  arm();
}

void FaultLink::on_batch_end(Instant now) {
  if (receiver_ != nullptr) receiver_->on_batch_end(now);
}

void FaultLink::on_deadline() {
  const Instant now = loop_.now();
  outgoing_.on_deadline(now);
  incoming_.on_deadline(now);
  if (receiver_ != nullptr) receiver_->on_batch_end(now);
  arm();
}

void FaultLink::arm() {
  timer_->start(std::min(outgoing_.next_deadline(), incoming_.next_deadline()));
}

std::uint64_t FaultLink::frames_dropped() const {
  return device_->frames_dropped() + outgoing_.counters().lost + frames_uncut_;
}

}  // namespace migd
