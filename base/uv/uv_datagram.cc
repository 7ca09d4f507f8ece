#include "base/uv/uv_datagram.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/uv/sockaddr.h"

namespace migd {
namespace {

constexpr std::size_t kSegmentsMax = 64;  // UDP_MAX_SEGMENTS of Linux
constexpr std::size_t kTrainMax = 65000;  // payload of one sendmsg(): an IP packet, and slack
constexpr int kReceiveBudget = 64;        // calls before others have their turn
constexpr int kBufferBytes = 4 << 20;

Error system_error(const std::string& what, int error) {
  const ErrorCode code = error == EADDRINUSE                 ? ErrorCode::kBusy
                         : error == EACCES || error == EPERM ? ErrorCode::kPermission
                         : error == EADDRNOTAVAIL            ? ErrorCode::kUnavailable
                                                             : ErrorCode::kIo;
  return {code, what + ": " + std::strerror(error)};
}

void set_option(int fd, int level, int name, int value) {
  setsockopt(fd, level, name, &value, sizeof value);  // as far as the system allows
}

// Room for one control message that holds a T.
template <typename T>
struct ControlBuffer {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(T))> bytes{};
};

}  // namespace

Result<std::unique_ptr<UvDatagramSocket>> UvDatagramSocket::open(EventLoop& loop,
                                                                 const Endpoint& local,
                                                                 DatagramReceiver* receiver) {
  SocketAddress address = to_socket_address(local);
  const int fd = socket(address.storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const std::string what = "cannot open UDP " + local.to_string();
  if (fd < 0) return tl::unexpected(system_error(what, errno));
  if (!local.address.is_v4()) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  set_option(fd, SOL_SOCKET, SO_RCVBUF, kBufferBytes);
  set_option(fd, SOL_SOCKET, SO_SNDBUF, kBufferBytes);
  set_option(fd, IPPROTO_UDP, UDP_GRO, 1);
  if (bind(fd, address.get(), address.size) != 0 ||
      getsockname(fd, address.get(), &(address.size = sizeof address.storage)) != 0) {
    const int error = errno;
    close(fd);
    return tl::unexpected(system_error(what, error));
  }
  std::unique_ptr<UvDatagramSocket> made(new UvDatagramSocket(loop, fd, *to_endpoint(address)));
  made->set_receiver(receiver);
  return made;
}

UvDatagramSocket::UvDatagramSocket(EventLoop& loop, int fd, const Endpoint& local)
    : loop_(loop), fd_(fd), local_(local), alive_(std::make_shared<bool>(true)) {
  watch_ = loop.watch(fd, {.readable = true}, [this](FdEvents) { on_readable(); });
}

UvDatagramSocket::~UvDatagramSocket() {
  *alive_ = false;
  watch_.reset();
  close(fd_);
}

void UvDatagramSocket::on_readable() {
  const std::shared_ptr<bool> alive = alive_;
  for (int i = 0; i < kReceiveBudget && *alive; ++i) {
    if (!receive_one()) return;
  }
}

bool UvDatagramSocket::receive_one() {
  static std::array<std::uint8_t, 65536> buffer;
  SocketAddress from;
  ControlBuffer<int> control;
  iovec part{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_name = from.get();
  message.msg_namelen = sizeof from.storage;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  const ssize_t size = recvmsg(fd_, &message, 0);
  // An ICMP error of an earlier datagram comes up here once: there may be more behind it.
  if (size < 0) return errno != EAGAIN && errno != EWOULDBLOCK;
  from.size = message.msg_namelen;
  const auto sender = to_endpoint(from);
  if (!sender || receiver_ == nullptr) return true;

  const ByteView train(buffer.data(), static_cast<std::size_t>(size));
  std::size_t segment_size = train.size();
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_GRO) continue;
    int value = 0;
    std::memcpy(&value, CMSG_DATA(c), sizeof value);
    if (value > 0) segment_size = static_cast<std::size_t>(value);
  }
  const std::shared_ptr<bool> alive = alive_;
  const Instant now = loop_.now();
  std::size_t at = 0;
  do {
    const std::size_t n = std::min(segment_size, train.size() - at);
    receiver_->on_datagram(*sender, train.subspan(at, n), now);
    at += n;
  } while (*alive && at < train.size());
  return true;
}

void UvDatagramSocket::send(const Endpoint& to, ByteView payload, std::size_t segment_size) {
  MIGD_CHECK(segment_size > 0);
  const std::size_t per_train =
      segment_size * std::clamp<std::size_t>(kTrainMax / segment_size, 1, kSegmentsMax);
  do {
    const ByteView train = payload.first(std::min(per_train, payload.size()));
    payload = payload.subspan(train.size());
    const bool is_train = train.size() > segment_size;
    if (!is_train || !trains_taken_ || !send_train(to, train, segment_size)) {
      send_singly(to, train, segment_size);
    }
  } while (!payload.empty());
}

// False when the train must go out singly.
bool UvDatagramSocket::send_train(const Endpoint& to, ByteView train, std::size_t segment_size) {
  SocketAddress address = to_socket_address(to);
  ControlBuffer<std::uint16_t> control;
  iovec part{const_cast<std::uint8_t*>(train.data()), train.size()};
  msghdr message{};
  message.msg_name = address.get();
  message.msg_namelen = address.size;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = IPPROTO_UDP;
  header->cmsg_type = UDP_SEGMENT;
  header->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
  const auto size = static_cast<std::uint16_t>(segment_size);
  std::memcpy(CMSG_DATA(header), &size, sizeof size);
  if (sendmsg(fd_, &message, 0) >= 0) {
    ++trains_sent_;
    return true;
  }
  // EINVAL, EMSGSIZE: not this one (segments over the path's MTU). EIO, EOPNOTSUPP: none.
  if (errno == EINVAL || errno == EMSGSIZE) return false;
  if (errno == EIO || errno == EOPNOTSUPP || errno == ENOPROTOOPT) {
    trains_taken_ = false;
    return false;
  }
  datagrams_dropped_ += (train.size() + segment_size - 1) / segment_size;
  return true;
}

void UvDatagramSocket::send_singly(const Endpoint& to, ByteView train, std::size_t segment_size) {
  const SocketAddress address = to_socket_address(to);
  do {
    const ByteView datagram = train.first(std::min(segment_size, train.size()));
    train = train.subspan(datagram.size());
    if (sendto(fd_, datagram.data(), datagram.size(), 0, address.get(), address.size) < 0) {
      ++datagrams_dropped_;
    }
  } while (!train.empty());
}

}  // namespace migd
