// migd-bench-flood: packets of strangers, as fast as they can be sent, and for a while only.
//
//   migd-bench-flood ADDRESS:PORT SECONDS
//
// For half of the time SYNs, with the options of an ordinary client; then segments of connections
// that do not exist, with random flags and numbers. Each comes from another address and port of
// 10.77.128.0/17, none of which is anybody's. On the way back nothing is read.
//
// Needs CAP_NET_RAW. At the end it prints what it has sent, as JSON.
#include <netinet/ip.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>

#include "base/packet.h"
#include "bench/support/system.h"

namespace migd::bench {
namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kHeaders = 20 + 20;
constexpr std::array<std::uint8_t, 20> kSynOptions{2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 1,
                                                   2, 3, 0,    0,    0, 0, 1, 3,  3, 7};
constexpr std::size_t kPayloadMax = 64;
constexpr std::size_t kPacketMax = kHeaders + kPayloadMax;
constexpr int kSecondsMax = 600;

// splitmix64
class Random {
 public:
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::uint32_t u32() { return static_cast<std::uint32_t>(next()); }

 private:
  std::uint64_t state_ = 1;
};

class Flood {
 public:
  explicit Flood(const sockaddr_in& target)
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

  // Returns how many were sent.
  std::uint64_t run(bool syns, Clock::time_point until) {
    std::uint64_t sent = 0;
    while (Clock::now() < until) {
      for (std::size_t i = 0; i < kBatch; ++i)
        buffers_[i].iov_len = syns ? make_syn(packets_[i]) : make_segment(packets_[i]);
      const int n = sendmmsg(fd_, messages_.data(), kBatch, 0);
      if (n < 0 && errno != ENOBUFS && errno != EAGAIN) check(n, "sendmmsg");
      if (n > 0) sent += static_cast<std::uint64_t>(n);
    }
    return sent;
  }

 private:
  using Packet = std::array<std::uint8_t, kPacketMax>;

  std::size_t make_syn(Packet& packet) {
    std::copy(kSynOptions.begin(), kSynOptions.end(), packet.begin() + kHeaders);
    store_u32(&packet[kHeaders + 8], random_.u32());  // the timestamp
    return finish(packet, tcp_flag::kSyn, kSynOptions.size(), 0);
  }

  std::size_t make_segment(Packet& packet) {
    constexpr std::array<std::uint8_t, 5> kFlags{tcp_flag::kAck, tcp_flag::kAck | tcp_flag::kPsh,
                                                 tcp_flag::kAck | tcp_flag::kFin, tcp_flag::kRst,
                                                 tcp_flag::kAck | tcp_flag::kSyn};
    return finish(packet, kFlags[random_.u32() % kFlags.size()], 0, random_.u32() % kPayloadMax);
  }

  std::size_t finish(Packet& packet, std::uint8_t flags, std::size_t options, std::size_t payload) {
    const std::size_t size = kHeaders + options + payload;
    IpHeader ip;
    ip.src = IpAddress::v4(0x0a4d8000u | (random_.u32() & 0x7fff));
    ip.dst = IpAddress::v4(ntohl(target_.sin_addr.s_addr));
    ip.protocol = kProtocolTcp;
    ip.hop_limit = 64;
    ip.header_size = 20;
    ip.total_size = static_cast<std::uint32_t>(size);
    const MutableBytes bytes(packet.data(), size);
    write_ip_header(bytes, ip, size - 20, 0);
    std::uint8_t* const tcp = packet.data() + 20;
    store_u16(tcp, static_cast<std::uint16_t>(1024 + random_.u32() % 60000));
    store_u16(tcp + 2, ntohs(target_.sin_port));
    store_u32(tcp + 4, random_.u32());
    store_u32(tcp + 8, flags == tcp_flag::kSyn ? 0 : random_.u32());
    tcp[12] = static_cast<std::uint8_t>((20 + options) / 4 << 4);
    tcp[13] = flags;
    store_u16(tcp + 14, 0xffff);
    store_u32(tcp + 16, 0);
    complete_l4_checksum(ip, bytes);
    return size;
  }

  sockaddr_in target_;
  const int fd_;
  Random random_;
  std::array<Packet, kBatch> packets_{};
  std::array<iovec, kBatch> buffers_{};
  std::array<mmsghdr, kBatch> messages_{};
};

int main(char** arguments) {
  const double seconds = std::atof(arguments[2]);
  if (!(seconds > 0 && seconds <= kSecondsMax)) die("SECONDS is out of range");
  Flood flood(parse_endpoint(arguments[1]));
  const Clock::time_point began = Clock::now();
  const auto half =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds / 2));
  const std::uint64_t syns = flood.run(true, began + half);
  const std::uint64_t segments = flood.run(false, began + 2 * half);
  std::printf("{\"syns\":%llu,\"segments\":%llu}\n", static_cast<unsigned long long>(syns),
              static_cast<unsigned long long>(segments));
  return 0;
}

}  // namespace
}  // namespace migd::bench

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: migd-bench-flood ADDRESS:PORT SECONDS\n");
    return 2;
  }
  return migd::bench::main(argv);
}
