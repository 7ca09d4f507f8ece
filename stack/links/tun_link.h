// A TUN device as a link, with the kernel's offloads: trains of TCP, and of UDP where the kernel
// has that (6.2), pass whole in both directions, and checksums stay partial within the machine.
//
// Small packets are copied into small frames; a large one keeps the frame that it was read into. A
// readable device is read until it is empty or the budget is spent, so that others have their turn.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/event_loop.h"
#include "base/result.h"
#include "stack/link.h"
#include "stack/links/virtio_header.h"

namespace migd {

struct TunOptions {
  std::string name;       // of a device that exists (ip tuntap add), or that is made
  std::uint16_t mtu = 0;  // 0: the device's; a smaller one of an existing device prevails
};

class TunLink : public Link {
 public:
  static constexpr int kReadBudget = 64;  // frames before others have their turn

  // The text of an error says which right is missing, and the alternative.
  static Result<std::unique_ptr<TunLink>> open(EventLoop& loop, std::shared_ptr<FramePool> pool,
                                               const TunOptions& options);
  // Takes over a descriptor that is already attached to a device (IFF_TUN, IFF_NO_PI,
  // IFF_VNET_HDR); closed on failure too.
  static Result<std::unique_ptr<TunLink>> adopt(EventLoop& loop, std::shared_ptr<FramePool> pool,
                                                int fd, std::uint16_t mtu = 0);
  ~TunLink() override;

  const LinkCapabilities& capabilities() const override { return capabilities_; }
  std::string description() const override { return "tun " + name_; }
  void send(Frame frame) override;
  void set_receiver(FrameSink* receiver) override { receiver_ = receiver; }
  std::uint64_t frames_dropped() const override { return frames_dropped_; }

  int fd() const { return fd_; }  // for passing on to the next process
  // Frames that came in with a header that we do not understand.
  std::uint64_t frames_refused() const { return frames_refused_; }
  // Told once when the device has gone for good; nothing comes any more.
  void set_failure_handler(std::function<void(Error)> handler) { on_failure_ = std::move(handler); }

 private:
  TunLink(EventLoop& loop, std::shared_ptr<FramePool> pool, int fd, std::string name);
  Result<void> set_up(std::uint16_t mtu, bool made);
  void on_readable();
  bool read_one();
  void write(Frame frame);

  EventLoop& loop_;
  std::shared_ptr<FramePool> pool_;
  int fd_;
  std::string name_;
  LinkCapabilities capabilities_;
  FrameSink* receiver_ = nullptr;
  Frame buffer_;  // of the largest size, for the next read
  std::uint64_t frames_dropped_ = 0;
  std::uint64_t frames_refused_ = 0;
  std::function<void(Error)> on_failure_;
  std::unique_ptr<FdWatch> watch_;
};

}  // namespace migd
