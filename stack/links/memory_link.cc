#include "stack/links/memory_link.h"

#include "stack/links/segmenter.h"

namespace migd {

MemoryLink::Pair MemoryLink::make_pair(const LinkCapabilities& capabilities,
                                       std::shared_ptr<FramePool> pool, Carrier carrier) {
  std::unique_ptr<MemoryLink> a(new MemoryLink("a", capabilities, pool, carrier));
  std::unique_ptr<MemoryLink> b(new MemoryLink("b", capabilities, pool, carrier));
  a->other_ = b.get();
  b->other_ = a.get();
  return {std::move(a), std::move(b)};
}

MemoryLink::MemoryLink(std::string name, const LinkCapabilities& capabilities,
                       std::shared_ptr<FramePool> pool, Carrier carrier)
    : name_(std::move(name)),
      capabilities_(capabilities),
      pool_(std::move(pool)),
      carrier_(std::move(carrier)) {}

void MemoryLink::send(Frame frame) {
  const auto sent = conform(std::move(frame), capabilities_, *pool_, [this](Frame packet) {
    if (packet.offload.gso == Offload::Gso::kNone && packet.size() > capabilities_.mtu) {
      ++frames_dropped_;
      return;
    }
    // A checksum that was verified here says nothing to whoever receives it.
    if (packet.offload.checksum == Offload::Checksum::kVerified) {
      packet.offload.checksum = Offload::Checksum::kUnknown;
    }
    carrier_(*other_, std::move(packet));
  });
  if (!sent) ++frames_dropped_;
}

void MemoryLink::deliver(Frame frame, Instant now) {
  if (receiver_ != nullptr) receiver_->on_frame(std::move(frame), now);
}

void MemoryLink::end_batch(Instant now) {
  if (receiver_ != nullptr) receiver_->on_batch_end(now);
}

}  // namespace migd
