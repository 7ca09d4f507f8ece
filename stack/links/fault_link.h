// The fault injector: middleware around any link, with a FaultLine for each direction. It asks the
// event loop for the time and for its deadlines, so that nobody has to drive it.
//
// A train is cut first, so that what is lost, repeated and reordered are packets of the path, and
// checksums are completed, so that a receiver notices damage.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/event_loop.h"
#include "stack/link.h"
#include "stack/links/fault_line.h"

namespace migd {

class FaultLink : public Link, private FrameSink {
 public:
  // The random numbers of the two directions are apart: traffic one way does not change what
  // happens the other way.
  FaultLink(std::unique_ptr<Link> device, EventLoop& loop, std::shared_ptr<FramePool> pool,
            const FaultOptions& outgoing, Rng& outgoing_rng, const FaultOptions& incoming,
            Rng& incoming_rng);

  const LinkCapabilities& capabilities() const override { return device_->capabilities(); }
  std::string description() const override { return device_->description() + " with faults"; }
  void send(Frame frame) override;
  void set_receiver(FrameSink* receiver) override { receiver_ = receiver; }
  // With those that were lost on the way out.
  std::uint64_t frames_dropped() const override;
  KnownFlows* known_flows() override { return device_->known_flows(); }
  std::uint64_t strangers_pauses() const override { return device_->strangers_pauses(); }

  FaultLine& outgoing() { return outgoing_; }
  FaultLine& incoming() { return incoming_; }

 private:
  void on_frame(Frame frame, Instant now) override;
  void on_batch_end(Instant now) override;
  void on_deadline();
  void arm();

  std::unique_ptr<Link> device_;
  EventLoop& loop_;
  std::shared_ptr<FramePool> pool_;
  FrameSink* receiver_ = nullptr;
  std::uint64_t frames_uncut_ = 0;  // trains that could not be cut
  FaultLine outgoing_;
  FaultLine incoming_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace migd
