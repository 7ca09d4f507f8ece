// Crafted segments on their way out, many with one system call. Needs CAP_NET_RAW.
#pragma once

#include <netinet/ip.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>

#include "bench/support/crafted_segment.h"
#include "bench/support/system.h"

namespace migd::bench {

class RawSender {
 public:
  static constexpr std::size_t kBatch = 64;
  static constexpr std::size_t kPayloadMax = 64;

  explicit RawSender(const sockaddr_in& target)
      : target_(target), fd_(check(socket(AF_INET, SOCK_RAW, IPPROTO_RAW), "socket(SOCK_RAW)")) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      buffers_[i] = {packets_[i].data(), 0};
      messages_[i].msg_hdr = {};
      messages_[i].msg_hdr.msg_name = &target_;
      messages_[i].msg_hdr.msg_namelen = sizeof target_;
      messages_[i].msg_hdr.msg_iov = &buffers_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }
  RawSender(const RawSender&) = delete;
  RawSender& operator=(const RawSender&) = delete;

  // To the target, whatever it says of destination.
  void add(CraftedSegment segment) {
    segment.dst = IpAddress::v4(ntohl(target_.sin_addr.s_addr));
    segment.dst_port = ntohs(target_.sin_port);
    buffers_[count_].iov_len = craft(segment, packets_[count_].data());
    if (++count_ == kBatch) flush();
  }
  // What finds no room in the kernel is lost, as on a wire.
  void flush() {
    const int n = sendmmsg(fd_, messages_.data(), static_cast<unsigned>(count_), 0);
    if (n < 0 && errno != ENOBUFS && errno != EAGAIN) check(n, "sendmmsg");
    if (n > 0) sent_ += static_cast<std::uint64_t>(n);
    count_ = 0;
  }
  std::uint64_t sent() const { return sent_; }

 private:
  using Packet = std::array<std::uint8_t, kCraftedHeaders + kSynOptions.size() + kPayloadMax>;

  sockaddr_in target_;
  const int fd_;
  std::size_t count_ = 0;
  std::uint64_t sent_ = 0;
  std::array<Packet, kBatch> packets_{};
  std::array<iovec, kBatch> buffers_{};
  std::array<mmsghdr, kBatch> messages_{};
};

}  // namespace migd::bench
