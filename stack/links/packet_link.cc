#include "stack/links/packet_link.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "stack/links/received_frame.h"
#include "stack/links/segmenter.h"

namespace migd {
namespace {

constexpr int kPacketIgnoreOutgoing = 23;  // PACKET_IGNORE_OUTGOING
constexpr Duration kDownPeriod = 200ms;
constexpr int kBufferBytes = 32 << 20;  // a train costs the socket twice its size

std::uint16_t to_network_order(std::uint16_t v) {
  std::uint8_t raw[2];
  store_u16(raw, v);
  std::uint16_t out;
  std::memcpy(&out, raw, sizeof out);
  return out;
}

template <typename T>
bool set_option(int fd, int level, int name, const T& value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

// As large as allowed: over the system's limit with CAP_NET_ADMIN in the first user namespace, else
// up to it.
void enlarge_buffers(int fd) {
  if (!set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, kBufferBytes)) {
    set_option(fd, SOL_SOCKET, SO_RCVBUF, kBufferBytes);
  }
  if (!set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, kBufferBytes)) {
    set_option(fd, SOL_SOCKET, SO_SNDBUF, kBufferBytes);
  }
}

// Passes IPv4 and IPv6, by the type in the Ethernet header.
bool attach_filter(int fd) {
  sock_filter code[] = {
      {BPF_LD | BPF_H | BPF_ABS, 0, 0, 12},
      {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ETH_P_IP},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, ETH_P_IPV6},
      {BPF_RET | BPF_K, 0, 0, 0xffffffff},
      {BPF_RET | BPF_K, 0, 0, 0},
  };
  const sock_fprog program{static_cast<unsigned short>(std::size(code)), code};
  return set_option(fd, SOL_SOCKET, SO_ATTACH_FILTER, program);
}

// virtio_net_hdr has known UDP trains since Linux 6.2.
bool kernel_has_udp_trains() {
  utsname system;
  int major = 0, minor = 0;
  if (uname(&system) != 0 || std::sscanf(system.release, "%d.%d", &major, &minor) != 2)
    return false;
  return major > 6 || (major == 6 && minor >= 2);
}

Error socket_error(const std::string& what, int error) {
  if (error == EPERM || error == EACCES) {
    return {ErrorCode::kPermission,
            "no right to open a packet socket: it takes CAP_NET_RAW, which every user has in a "
            "user and network namespace of his own (unshare --user --map-root-user --net)"};
  }
  return {ErrorCode::kIo, what + ": " + std::strerror(error)};
}

}  // namespace

Result<std::unique_ptr<PacketLink>> PacketLink::open(EventLoop& loop,
                                                     std::shared_ptr<FramePool> pool,
                                                     const PacketOptions& options) {
  // Protocol 0: nothing is received before bind(), when filter and options are in place.
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return tl::unexpected(socket_error("cannot open a packet socket", errno));
  std::unique_ptr<PacketLink> link(new PacketLink(loop, std::move(pool), fd, options));
  if (const auto done = link->set_up(options); !done) return tl::unexpected(done.error());
  return link;
}

PacketLink::PacketLink(EventLoop& loop, std::shared_ptr<FramePool> pool, int fd,
                       const PacketOptions& options)
    : loop_(loop),
      pool_(std::move(pool)),
      fd_(fd),
      device_name_(options.device),
      intake_(loop),
      slots_(kBatch) {}

PacketLink::~PacketLink() {
  watch_.reset();
  close(fd_);
}

Result<void> PacketLink::set_up(const PacketOptions& options) {
  const Result<NetDevice> device = NetDevice::find(options.device);
  if (!device) return tl::unexpected(device.error());
  const Result<NetDevice> kernel_end = NetDevice::find(options.kernel_end);
  if (!kernel_end) return tl::unexpected(kernel_end.error());
  const Result<MacAddress> device_mac = device->mac();
  if (!device_mac) return tl::unexpected(device_mac.error());
  const Result<MacAddress> kernel_mac = kernel_end->mac();
  if (!kernel_mac) return tl::unexpected(kernel_mac.error());
  if (*device_mac == *kernel_mac) {
    return fail(ErrorCode::kInvalidArgument, "'" + options.device + "' and '" + options.kernel_end +
                                                 "' have the same hardware address");
  }
  if (kernel_end->has_arp()) {
    return fail(ErrorCode::kInvalidArgument,
                "device '" + options.kernel_end +
                    "' would resolve addresses by ARP, which nobody answers: ip link set dev " +
                    options.kernel_end + " arp off");
  }
  for (const NetDevice& end : {*device, *kernel_end}) {
    if (auto up = end.bring_up(); !up) return up;
  }
  device_index_ = device->index();
  device_mac_ = *device_mac;
  kernel_mac_ = *kernel_mac;
  const std::uint16_t mtu = std::min(device->mtu(), kernel_end->mtu());
  capabilities_ = {.mtu = options.mtu == 0 ? mtu : std::min(options.mtu, mtu),
                   .checksum_offload = true,
                   .tcp_gso = true,
                   .udp_gso = kernel_has_udp_trains()};
  return set_socket_options();
}

Result<void> PacketLink::set_socket_options() {
  const auto failed = [&](const char* what) {
    return tl::unexpected(socket_error("packet socket on '" + device_name_ + "': " + what, errno));
  };
  if (!set_option(fd_, SOL_PACKET, PACKET_VNET_HDR, 1)) return failed("PACKET_VNET_HDR");
  if (!set_option(fd_, SOL_PACKET, kPacketIgnoreOutgoing, 1)) {
    return failed("PACKET_IGNORE_OUTGOING");
  }
  if (!attach_filter(fd_)) return failed("filter");
  enlarge_buffers(fd_);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = to_network_order(ETH_P_ALL);
  address.sll_ifindex = device_index_;
  if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return failed("bind");
  }
  down_timer_ = loop_.make_timer([this] { look_after_device(); });
  watch_ = loop_.watch(fd_, {.readable = true}, [this](FdEvents) { on_readable(); });
  return {};
}

void PacketLink::on_readable() {
  for (int i = 0; i < kBatchBudget; ++i) {
    if (!read_batch()) break;
  }
  intake_.end_batch();
}

bool PacketLink::read_batch() {
  std::array<mmsghdr, kBatch> messages{};
  std::array<std::array<iovec, 3>, kBatch> parts;
  for (std::size_t i = 0; i < kBatch; ++i) {
    Slot& slot = slots_[i];
    if (!slot.frame) slot.frame = pool_->allocate(FramePool::kLargest);
    parts[i] = {iovec{slot.virtio.data(), slot.virtio.size()},
                iovec{slot.ethernet.data(), slot.ethernet.size()},
                iovec{slot.frame.data(), slot.frame.size()}};
    messages[i].msg_hdr.msg_iov = parts[i].data();
    messages[i].msg_hdr.msg_iovlen = parts[i].size();
  }
  const int n = recvmmsg(fd_, messages.data(), kBatch, 0, nullptr);
  if (n < 0) {
    const int error = errno;
    on_receive_error(error);
    return error == EINVAL;  // that frame is lost, there may be more
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
    take(slots_[i], messages[i].msg_len, (messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0);
  }
  return static_cast<std::size_t>(n) == kBatch;
}

void PacketLink::on_receive_error(int error) {
  switch (error) {
    case EAGAIN:
    case EINTR:
      return;
    case EINVAL:
      ++frames_refused_;
      return;
    case ENETDOWN:
      look_after_device();
      return;
    default:
      fail_for_good(std::strerror(error));
  }
}

// The kernel says when a device goes down, but not when it then is removed.
void PacketLink::look_after_device() {
  char name[IF_NAMESIZE];
  if (if_indextoname(static_cast<unsigned>(device_index_), name) == nullptr) {
    fail_for_good("it was removed");
    return;
  }
  const Result<NetDevice> device = NetDevice::find(name);
  if (!device || !device->is_up()) down_timer_->start(loop_.now() + kDownPeriod);
}

void PacketLink::fail_for_good(const std::string& reason) {
  watch_->set_interest({});
  if (on_failure_) {
    on_failure_({ErrorCode::kUnavailable, description() + " is gone: " + reason});
  }
}

void PacketLink::take(Slot& slot, std::size_t size, bool truncated) {
  constexpr std::size_t kHeaders = kVirtioHeaderSize + kEthernetSize;
  if (truncated || size <= kHeaders) {
    ++frames_refused_;
    return;
  }
  Frame frame = take_received(*pool_, slot.frame, size - kHeaders);
  if (!read_virtio_header(slot.virtio, kEthernetSize, frame)) {
    ++frames_refused_;
  } else {
    intake_.take(std::move(frame));
  }
}

void PacketLink::send(Frame frame) {
  const auto sent = conform(std::move(frame), capabilities_, *pool_,
                            [this](Frame packet) { write(std::move(packet)); });
  if (!sent) ++frames_dropped_;
}

void PacketLink::write(Frame frame) {
  auto virtio = write_virtio_header(frame, kEthernetSize);
  if (!virtio || frame.size() == 0) {
    ++frames_dropped_;
    return;
  }
  std::array<std::uint8_t, kEthernetSize> ethernet;
  std::copy(kernel_mac_.begin(), kernel_mac_.end(), ethernet.begin());
  std::copy(device_mac_.begin(), device_mac_.end(), ethernet.begin() + 6);
  store_u16(&ethernet[12], frame.data()[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP);
  const iovec parts[] = {{virtio->data(), virtio->size()},
                         {ethernet.data(), ethernet.size()},
                         {frame.data(), frame.size()}};
  if (writev(fd_, parts, 3) >= 0) return;
  if (errno == EINVAL && frame.offload.gso == Offload::Gso::kUdp && capabilities_.udp_gso) {
    capabilities_.udp_gso = false;  // an older kernel, whatever its name says
    send(std::move(frame));
    return;
  }
  ++frames_dropped_;
}

std::uint64_t PacketLink::frames_overrun() {
  tpacket_stats since_last{};
  socklen_t size = sizeof since_last;
  if (getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &since_last, &size) == 0) {
    frames_overrun_ += since_last.tp_drops;
  }
  return frames_overrun_;
}

}  // namespace migd
