// The two ends of a link in memory. There is no clock inside and nothing happens by itself: what
// one end sends is given to a carrier, which calls deliver() of the other end when it likes, at
// once, later, or never.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "stack/link.h"

namespace migd {

class MemoryLink : public Link {
 public:
  // Takes what was sent towards `to`. Both ends outlive what the carrier still holds.
  using Carrier = std::function<void(MemoryLink& to, Frame frame)>;
  using Pair = std::pair<std::unique_ptr<MemoryLink>, std::unique_ptr<MemoryLink>>;

  // Frames beyond the capabilities are cut and summed before they are carried, as everywhere.
  static Pair make_pair(const LinkCapabilities& capabilities, std::shared_ptr<FramePool> pool,
                        Carrier carrier);

  const LinkCapabilities& capabilities() const override { return capabilities_; }
  std::string description() const override { return "memory " + name_; }
  void send(Frame frame) override;
  void set_receiver(FrameSink* receiver) override { receiver_ = receiver; }
  std::uint64_t frames_dropped() const override { return frames_dropped_; }

  // The frame arrives at this end.
  void deliver(Frame frame, Instant now);
  void end_batch(Instant now);

 private:
  MemoryLink(std::string name, const LinkCapabilities& capabilities,
             std::shared_ptr<FramePool> pool, Carrier carrier);

  std::string name_;
  LinkCapabilities capabilities_;
  std::shared_ptr<FramePool> pool_;
  Carrier carrier_;
  MemoryLink* other_ = nullptr;
  FrameSink* receiver_ = nullptr;
  std::uint64_t frames_dropped_ = 0;
};

}  // namespace migd
