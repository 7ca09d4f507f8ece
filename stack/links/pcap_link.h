// Middleware around any link that writes every frame to a pcap file: what comes in when it comes,
// what goes out when it is sent.
#pragma once

#include <memory>
#include <string>

#include "base/event_loop.h"
#include "stack/link.h"
#include "stack/links/pcap_writer.h"

namespace migd {

class PcapLink : public Link, private FrameSink {
 public:
  // `time_offset`: see unix_time_offset(); the simulator gives zero.
  PcapLink(std::unique_ptr<Link> device, std::unique_ptr<PcapWriter> writer, const EventLoop& loop,
           Duration time_offset);

  const LinkCapabilities& capabilities() const override { return device_->capabilities(); }
  std::string description() const override { return device_->description() + " with pcap"; }
  void send(Frame frame) override;
  void set_receiver(FrameSink* receiver) override { receiver_ = receiver; }
  std::uint64_t frames_dropped() const override { return device_->frames_dropped(); }
  KnownFlows* known_flows() override { return device_->known_flows(); }
  std::uint64_t strangers_pauses() const override { return device_->strangers_pauses(); }

  PcapWriter& writer() { return *writer_; }

 private:
  void on_frame(Frame frame, Instant now) override;
  void on_batch_end(Instant now) override;
  bool looks_ahead() const override { return receiver_ != nullptr && receiver_->looks_ahead(); }
  void look_ahead(std::span<const Frame> frames) override { receiver_->look_ahead(frames); }
  void record(const Frame& frame, Instant now);

  std::unique_ptr<Link> device_;
  std::unique_ptr<PcapWriter> writer_;
  const EventLoop& loop_;
  Duration time_offset_;
  Instant last_{};  // file times never go back
  FrameSink* receiver_ = nullptr;
};

}  // namespace migd
