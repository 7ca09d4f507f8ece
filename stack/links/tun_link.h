// A TUN device as a link, with the kernel's offloads: trains of TCP, and of UDP where the kernel
// has that (6.2), pass whole in both directions, and checksums stay partial within the machine.
//
// Small packets are copied into small frames; a large one keeps the frame that it was read into. A
// readable device is read until it is empty or the budget is spent, so that others have their turn.
//
// Where the system allows it, what strangers send waits in queues of its own
// (stack/links/flow_steering.h). When these cannot be emptied, they get a share of the time
// (stack/links/strangers_share.h), so that a flood of them hardly slows the flows we know. A flow
// that has just become known may have left packets there: they are read first.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/event_loop.h"
#include "base/result.h"
#include "stack/link.h"
#include "stack/links/flow_steering.h"
#include "stack/links/intake.h"
#include "stack/links/strangers_queue.h"
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
  std::string description() const override { return "tun " + name_ + about_strangers(); }
  void send(Frame frame) override;
  void set_receiver(FrameSink* receiver) override { intake_.set_receiver(receiver); }
  std::uint64_t frames_dropped() const override { return frames_dropped_; }
  KnownFlows* known_flows() override {
    return strangers_ ? &strangers_->steering->known() : nullptr;
  }
  std::uint64_t strangers_pauses() const override {
    return strangers_ ? strangers_->opening->pauses() + strangers_->others->pauses() : 0;
  }

  int fd() const { return fd_; }  // for passing on to the next process
  // Frames that came in with a header that we do not understand.
  std::uint64_t frames_refused() const { return frames_refused_; }
  // Told once when the device has gone for good; nothing comes any more.
  void set_failure_handler(std::function<void(Error)> handler) { on_failure_ = std::move(handler); }

 private:
  // What the kernel keeps apart of strangers' packets.
  struct Strangers {
    std::unique_ptr<FlowSteering> steering;
    std::unique_ptr<StrangersQueue> opening;  // SYNs
    std::unique_ptr<StrangersQueue> others;
    std::uint64_t flows_seen = 0;  // of those that became known: what they have left here is read
  };

  TunLink(EventLoop& loop, std::shared_ptr<FramePool> pool, int fd, std::string name);
  Result<void> set_up(std::uint16_t mtu, bool made);
  Result<void> set_strangers_apart();
  Result<std::unique_ptr<StrangersQueue>> attach_queue();
  std::string about_strangers() const;
  void on_readable();
  void read_what_flows_have_left();
  bool read_batch(int fd, int budget);
  bool read_one(int fd);
  void device_is_gone(int error);
  void write(Frame frame);

  EventLoop& loop_;
  std::shared_ptr<FramePool> pool_;
  int fd_;
  std::string name_;
  LinkCapabilities capabilities_;
  Intake intake_;
  Frame buffer_;  // of the largest size, for the next read
  std::uint64_t frames_dropped_ = 0;
  std::uint64_t frames_refused_ = 0;
  std::uint64_t known_frames_ = 0;
  std::function<void(Error)> on_failure_;
  std::unique_ptr<FdWatch> watch_;
  std::unique_ptr<Strangers> strangers_;
  std::string not_apart_;  // why strangers' packets wait among the others
};

}  // namespace migd
