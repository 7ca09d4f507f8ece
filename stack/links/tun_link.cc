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
#include <utility>

#include "base/random.h"
#include "stack/links/netdevice.h"
#include "stack/links/received_frame.h"
#include "stack/links/segmenter.h"

namespace migd {
namespace {

constexpr const char* kDevice = "/dev/net/tun";
constexpr const char* kAlternative = "; or use a veth pair: [link] kind = \"packet\"";
constexpr short kFlags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
constexpr short kManyQueues = kFlags | IFF_MULTI_QUEUE;

constexpr const char *kAdd = "ip tuntap add dev ",
                     *kAddFor = " mode tun vnet_hdr multi_queue user NAME";

// The kernel's 500 packets are less than what one client may send into a window of 1 MiB.
constexpr int kQueueLength = 4096;

// Newer than the headers of Debian 12's libc.
constexpr unsigned kTunUso4 = 0x20, kTunUso6 = 0x40;

Error cannot_open(int error) {
  std::string text = kDevice;
  ErrorCode code = ErrorCode::kIo;
  if (error == EACCES || error == EPERM) {
    code = ErrorCode::kPermission;
    text = "no right to open " + text + " (read and write permission on the file)";
  } else if (error == ENOENT || error == ENODEV || error == ENXIO) {
    code = ErrorCode::kUnavailable;
    text.append(" is not there: the kernel's tun module is not loaded");
  } else {
    text = "cannot open " + text + ": " + std::strerror(error);
  }
  return {code, text.append(kAlternative)};
}

Error cannot_attach(const std::string& name, int error) {
  const std::string device = "TUN device '" + name + "'";
  switch (error) {
    case EPERM:
    case EACCES:
      return {ErrorCode::kPermission, "no right to use " + device +
                                          ": it takes CAP_NET_ADMIN, or an administrator's '" +
                                          kAdd + name + kAddFor + "'" + kAlternative};
    case EBUSY:
      return {ErrorCode::kBusy, device + " is in use by another process"};
    case EINVAL:
      return {ErrorCode::kInvalidArgument,
              "'" + name + "' exists, but not as a TUN device with vnet_hdr"};
    default:
      return {ErrorCode::kIo, "cannot use " + device + ": " + std::strerror(error)};
  }
}

int open_file() {
  return ::open(kDevice, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

// False, with errno, when the kernel refuses.
bool attach(int fd, const std::string& name, short flags) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = flags;
  return ioctl(fd, TUNSETIFF, &request) == 0;
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
  const int fd = open_file();
  if (fd < 0) return tl::unexpected(cannot_open(errno));
  std::unique_ptr<TunLink> link(new TunLink(loop, std::move(pool), fd, options.name));

  const bool existed = NetDevice::exists(options.name);
  const bool many = attach(fd, options.name, kManyQueues);
  if (!many && (errno != EINVAL || !attach(fd, options.name, kFlags))) {
    return tl::unexpected(cannot_attach(options.name, errno));
  }
  if (const auto set_up = link->set_up(options.mtu, !existed); !set_up) {
    return tl::unexpected(set_up.error());
  }
  // Of one queue the kernel has refused us the device; of several, each process gets one.
  const Result<NetDevice> device = NetDevice::find(options.name);
  if (many && device && device->attached_queues() > 1) {
    return tl::unexpected(cannot_attach(options.name, EBUSY));
  }
  link->not_apart_ = "the device has one queue";
  if (many) {
    if (const auto apart = link->set_strangers_apart(); !apart) {
      link->not_apart_ = apart.error().text;
    }
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
    : loop_(loop), pool_(std::move(pool)), fd_(fd), name_(std::move(name)), intake_(loop) {}

TunLink::~TunLink() {
  watch_.reset();
  strangers_.reset();
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

// In the order of FlowSteering::Queue: the kernel numbers them as they come.
Result<void> TunLink::set_strangers_apart() {
  SystemRng rng;
  auto steering = FlowSteering::load({rng.u64(), rng.u64() | 1});
  if (!steering) return tl::unexpected(steering.error());
  const int program = (*steering)->program();
  if (ioctl(fd_, TUNSETSTEERINGEBPF, &program) != 0) {
    return tl::unexpected(cannot_attach(name_, errno));
  }
  auto opening = attach_queue();
  if (!opening) return tl::unexpected(opening.error());
  auto others = attach_queue();
  if (!others) return tl::unexpected(others.error());
  strangers_ = std::make_unique<Strangers>(
      Strangers{std::move(*steering), std::move(*opening), std::move(*others)});
  return {};
}

Result<std::unique_ptr<StrangersQueue>> TunLink::attach_queue() {
  const int fd = open_file();
  if (fd < 0) return tl::unexpected(cannot_open(errno));
  if (!attach(fd, name_, kManyQueues)) {
    const int error = errno;
    close(fd);
    return tl::unexpected(cannot_attach(name_, error));
  }
  return std::make_unique<StrangersQueue>(
      loop_, fd,
      StrangersQueue::Device{[this](int queue, int budget) { return read_batch(queue, budget); },
                             [this] { intake_.end_batch(); }, [this] { return known_frames_; }});
}

std::string TunLink::about_strangers() const {
  if (strangers_) return ", strangers apart";
  return not_apart_.empty() ? "" : ", strangers not apart (" + not_apart_ + ")";
}

// ---- reading ----

void TunLink::on_readable() {
  read_what_flows_have_left();
  read_batch(fd_, kReadBudget);
  intake_.end_batch();
}

// A SYN is not among it: nothing of a flow is sent before it is answered.
void TunLink::read_what_flows_have_left() {
  if (!strangers_) return;
  const std::uint64_t added = strangers_->steering->known().added();
  if (strangers_->flows_seen != added && strangers_->others->read_now()) {
    strangers_->flows_seen = added;
  }
}

bool TunLink::read_batch(int fd, int budget) {
  for (int i = 0; i < budget; ++i) {
    if (!read_one(fd)) return true;
  }
  return false;
}

void TunLink::device_is_gone(int error) {
  watch_->set_interest({});
  if (strangers_) {
    strangers_->opening->stop();
    strangers_->others->stop();
  }
  const std::string text = description() + " is gone: " + std::strerror(error);
  if (const auto tell = std::exchange(on_failure_, {})) tell(Error{ErrorCode::kUnavailable, text});
}

bool TunLink::read_one(int fd) {
  if (!buffer_) buffer_ = pool_->allocate(FramePool::kLargest);
  VirtioHeader header;
  const iovec parts[] = {{header.data(), header.size()}, {buffer_.data(), buffer_.size()}};
  const ssize_t n = readv(fd, parts, 2);
  if (n < 0 && errno == EINTR) return true;
  if (n < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK) device_is_gone(errno);
    return false;
  }
  if (fd == fd_) ++known_frames_;
  if (static_cast<std::size_t>(n) <= header.size()) return true;
  const std::size_t size = static_cast<std::size_t>(n) - header.size();
  Frame frame = take_received(*pool_, buffer_, size);
  if (!read_virtio_header(header, 0, frame)) {
    ++frames_refused_;
  } else {
    intake_.take(std::move(frame));
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
