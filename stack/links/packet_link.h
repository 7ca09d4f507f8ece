// One end of a veth pair as a link, through a packet socket, for users who may not open TUN: a user
// and network namespace of one's own is all it takes (CAP_NET_RAW there).
//
//   kernel's routes -> [kernel end] ~~ veth ~~ [device] -> packet socket -> migd
//
// The kernel's end has no ARP, so that routes to it are as with TUN: the kernel puts the end's own
// hardware address into each frame. The device has another address, therefore the kernel's own
// stack passes over what arrives there (it is some other host's), and only the socket sees it. What
// we send carries the kernel end's address, so that the kernel takes it as its own.
//
// PACKET_VNET_HDR gives the same offloads as TUN. It exists for SOCK_RAW only, so the Ethernet
// header is ours to write and to skip. Received is with recvmmsg(), a batch at a time; larger ones
// save nothing more with small packets, and cost cache with trains. Sent is one by one: sendmmsg()
// would need a queue, and a link has none (stack/link.h).
//
// UDP trains: since Linux 6.2 they pass in both directions. Before that, the kernel refuses them
// with EINVAL on the way out, whereupon they are cut here, and loses them on the way in, which is
// counted (frames_refused).
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"
#include "stack/link.h"
#include "stack/links/intake.h"
#include "stack/links/netdevice.h"
#include "stack/links/virtio_header.h"

namespace migd {

struct PacketOptions {
  std::string kernel_end;  // the device that routes lead to: [link] name
  std::string device;      // its peer, which is ours: [link] device
  std::uint16_t mtu = 0;   // 0: the devices'; a smaller one of theirs prevails
};

class PacketLink : public Link {
 public:
  static constexpr std::size_t kBatch = 8;  // frames of one recvmmsg()
  static constexpr int kBatchBudget = 8;    // of those before others have their turn

  static Result<std::unique_ptr<PacketLink>> open(EventLoop& loop, std::shared_ptr<FramePool> pool,
                                                  const PacketOptions& options);
  ~PacketLink() override;

  const LinkCapabilities& capabilities() const override { return capabilities_; }
  std::string description() const override { return "packet " + device_name_; }
  void send(Frame frame) override;
  void set_receiver(FrameSink* receiver) override { intake_.set_receiver(receiver); }
  std::uint64_t frames_dropped() const override { return frames_dropped_; }

  // Frames that came in with a header that we, or the kernel, could not put into words.
  std::uint64_t frames_refused() const { return frames_refused_; }
  // Frames that came in faster than they were read, since the start.
  std::uint64_t frames_overrun();
  // Told once when the device has gone for good; nothing comes any more.
  void set_failure_handler(std::function<void(Error)> handler) { on_failure_ = std::move(handler); }

 private:
  static constexpr std::size_t kEthernetSize = 14;

  // The buffers that one message of recvmmsg() is scattered into.
  struct Slot {
    VirtioHeader virtio;
    std::array<std::uint8_t, kEthernetSize> ethernet;
    Frame frame;
  };

  PacketLink(EventLoop& loop, std::shared_ptr<FramePool> pool, int fd,
             const PacketOptions& options);
  Result<void> set_up(const PacketOptions& options);
  Result<void> set_socket_options();
  void on_readable();
  bool read_batch();  // false when there is no more
  void on_receive_error(int error);
  void look_after_device();
  void fail_for_good(const std::string& reason);
  void take(Slot& slot, std::size_t size, bool truncated);
  void write(Frame frame);

  EventLoop& loop_;
  std::shared_ptr<FramePool> pool_;
  int fd_;
  std::string device_name_;
  int device_index_ = 0;
  MacAddress kernel_mac_{};
  MacAddress device_mac_{};
  LinkCapabilities capabilities_;
  Intake intake_;
  std::vector<Slot> slots_;
  std::uint64_t frames_dropped_ = 0;
  std::uint64_t frames_refused_ = 0;
  std::uint64_t frames_overrun_ = 0;
  std::function<void(Error)> on_failure_;
  std::unique_ptr<FdWatch> watch_;
  std::unique_ptr<Timer> down_timer_;  // looks after a device that is down
};

}  // namespace migd
