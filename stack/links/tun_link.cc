#include "stack/links/tun_link.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "stack/links/netdevice.h"
#include "stack/links/received_frame.h"
#include "stack/links/segmenter.h"

namespace migd {
namespace {

constexpr const char* kDevice = "/dev/net/tun";
constexpr const char* kAlternative = "; or use a veth pair: [link] kind = \"packet\"";
constexpr short kFlags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;

// The kernel's 500 packets are less than what one client may send into a window of 1 MiB.
constexpr int kQueueLength = 4096;

// Newer than the headers of Debian 12's libc.
constexpr unsigned kTunUso4 = 0x20, kTunUso6 = 0x40;

Error cannot_open(int error) {
  const std::string device = kDevice;
  if (error == EACCES || error == EPERM) {
    return {ErrorCode::kPermission, "no right to open " + device +
                                        " (read and write permission on the file)" + kAlternative};
  }
  if (error == ENOENT || error == ENODEV || error == ENXIO) {
    return {ErrorCode::kUnavailable,
            device + " is not there: the kernel's tun module is not loaded" + kAlternative};
  }
  return {ErrorCode::kIo, "cannot open " + device + ": " + std::strerror(error) + kAlternative};
}

Error cannot_attach(const std::string& name, int error) {
  const std::string device = "TUN device '" + name + "'";
  switch (error) {
    case EPERM:
    case EACCES:
      return {ErrorCode::kPermission,
              "no right to use " + device + ": it takes CAP_NET_ADMIN, or 'ip tuntap add dev " +
                  name + " mode tun vnet_hdr user NAME' by an administrator" + kAlternative};
    case EBUSY:
      return {ErrorCode::kBusy, device + " is in use by another process"};
    case EINVAL:
      return {ErrorCode::kInvalidArgument,
              "'" + name + "' exists, but not as a TUN device with vnet_hdr and one queue"};
    default:
      return {ErrorCode::kIo, "cannot use " + device + ": " + std::strerror(error)};
  }
}

// The most that the kernel takes of: checksums, TCP trains, UDP trains.
LinkCapabilities negotiate_offloads(int fd) {
  constexpr unsigned kChecksum = TUN_F_CSUM;
  constexpr unsigned kTcp = kChecksum | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  constexpr unsigned kUdp = kTcp | kTunUso4 | kTunUso6;
  const auto takes = [&](unsigned offloads) { return ioctl(fd, TUNSETOFFLOAD, offloads) == 0; };
  LinkCapabilities capabilities;
  capabilities.udp_gso = takes(kUdp);
  capabilities.tcp_gso = capabilities.udp_gso || takes(kTcp);
  capabilities.checksum_offload = capabilities.tcp_gso || takes(kChecksum);
  return capabilities;
}

}  // namespace

Result<std::unique_ptr<TunLink>> TunLink::open(EventLoop& loop, std::shared_ptr<FramePool> pool,
                                               const TunOptions& options) {
  if (options.name.empty() || options.name.size() >= IFNAMSIZ) {
    return fail(ErrorCode::kInvalidArgument,
                "'" + options.name + "' is not a device name of 1 to 15 bytes");
  }
  const int fd = ::open(kDevice, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return tl::unexpected(cannot_open(errno));
  std::unique_ptr<TunLink> link(new TunLink(loop, std::move(pool), fd, options.name));

  const bool existed = NetDevice::exists(options.name);
  ifreq request{};
  options.name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = kFlags;
  if (ioctl(fd, TUNSETIFF, &request) != 0) {
    return tl::unexpected(cannot_attach(options.name, errno));
  }
  if (const auto set_up = link->set_up(options.mtu, !existed); !set_up) {
    return tl::unexpected(set_up.error());
  }
  return link;
}

Result<std::unique_ptr<TunLink>> TunLink::adopt(EventLoop& loop, std::shared_ptr<FramePool> pool,
                                                int fd, std::uint16_t mtu) {
  ifreq request{};
  if (ioctl(fd, TUNGETIFF, &request) != 0 || (request.ifr_flags & kFlags) != kFlags) {
    close(fd);
    return fail(ErrorCode::kInvalidArgument,
                "the descriptor is not attached to a TUN device with vnet_hdr and no_pi");
  }
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  std::unique_ptr<TunLink> link(new TunLink(loop, std::move(pool), fd, request.ifr_name));
  if (const auto set_up = link->set_up(mtu, false); !set_up) return tl::unexpected(set_up.error());
  return link;
}

TunLink::TunLink(EventLoop& loop, std::shared_ptr<FramePool> pool, int fd, std::string name)
    : loop_(loop), pool_(std::move(pool)), fd_(fd), name_(std::move(name)) {}

TunLink::~TunLink() {
  watch_.reset();
  close(fd_);
}

Result<void> TunLink::set_up(std::uint16_t mtu, bool made) {
  const int header_size = kVirtioHeaderSize;
  if (ioctl(fd_, TUNSETVNETHDRSZ, &header_size) != 0) {
    return tl::unexpected(cannot_attach(name_, errno));
  }
  capabilities_ = negotiate_offloads(fd_);
  const Result<NetDevice> device = NetDevice::find(name_);
  if (!device) return tl::unexpected(device.error());
  if (made && mtu != 0) {
    if (auto set = device->set_mtu(mtu); !set) return set;
  }
  if (made) {
    if (auto set = device->set_queue_length(kQueueLength); !set) return set;
  }
  if (auto up = device->bring_up(); !up) return up;
  capabilities_.mtu = mtu == 0 ? device->mtu() : std::min(mtu, device->mtu());
  watch_ = loop_.watch(fd_, {.readable = true}, [this](FdEvents) { on_readable(); });
  return {};
}

void TunLink::on_readable() {
  for (int i = 0; i < kReadBudget; ++i) {
    if (!read_one()) break;
  }
  if (receiver_ != nullptr) receiver_->on_batch_end(loop_.now());
}

bool TunLink::read_one() {
  if (!buffer_) buffer_ = pool_->allocate(FramePool::kLargest);
  VirtioHeader header;
  const iovec parts[] = {{header.data(), header.size()}, {buffer_.data(), buffer_.size()}};
  const ssize_t n = readv(fd_, parts, 2);
  if (n < 0 && errno == EINTR) return true;
  if (n < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    const int error = errno;
    watch_->set_interest({});
    if (on_failure_) {
      on_failure_({ErrorCode::kUnavailable, description() + " is gone: " + std::strerror(error)});
    }
    return false;
  }
  if (static_cast<std::size_t>(n) <= header.size()) return true;
  const std::size_t size = static_cast<std::size_t>(n) - header.size();
  Frame frame = take_received(*pool_, buffer_, size);
  if (!read_virtio_header(header, 0, frame)) {
    ++frames_refused_;
  } else if (receiver_ != nullptr) {
    receiver_->on_frame(std::move(frame), loop_.now());
  }
  return true;
}

void TunLink::send(Frame frame) {
  const auto sent = conform(std::move(frame), capabilities_, *pool_,
                            [this](Frame packet) { write(std::move(packet)); });
  if (!sent) ++frames_dropped_;
}

void TunLink::write(Frame frame) {
  const auto header = write_virtio_header(frame, 0);
  if (!header) {
    ++frames_dropped_;
    return;
  }
  const iovec parts[] = {{const_cast<std::uint8_t*>(header->data()), header->size()},
                         {frame.data(), frame.size()}};
  if (writev(fd_, parts, 2) < 0) ++frames_dropped_;
}

}  // namespace migd
