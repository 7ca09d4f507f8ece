#include "stack/links/segmenter.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/checksum.h"

namespace migd {
namespace {

constexpr std::size_t kTcpSeqOffset = 4;
constexpr std::size_t kTcpFlagsOffset = 13;
constexpr std::size_t kUdpLengthOffset = 4;

struct Headers {
  IpHeader ip;
  std::size_t size = 0;  // of IP and of TCP or UDP
  std::size_t payload_size = 0;
  std::uint8_t tcp_flags = 0;
};

tl::expected<Headers, DropReason> parse_headers(const Frame& frame) {
  const auto ip = parse_ip(frame.bytes());
  if (!ip) return tl::unexpected(ip.error());
  if (ip->is_fragment) return tl::unexpected(DropReason::kIpFragment);
  const ByteView l4 = frame.bytes().subspan(ip->header_size, ip->total_size - ip->header_size);
  if (ip->protocol == kProtocolTcp) {
    const auto tcp = TcpView::parse(l4);
    if (!tcp) return tl::unexpected(tcp.error());
    return Headers{*ip, ip->header_size + tcp->header_size(), tcp->payload().size(), tcp->flags()};
  }
  if (ip->protocol == kProtocolUdp) {
    const auto udp = UdpView::parse(l4);
    if (!udp) return tl::unexpected(udp.error());
    return Headers{*ip, ip->header_size + UdpView::kHeaderSize, udp->payload().size(), 0};
  }
  return tl::unexpected(DropReason::kUnsupportedProtocol);
}

// Lengths, identification and header checksum of packet `index`, whose headers are a copy of the
// train's.
void set_ip_lengths(const IpHeader& ip, MutableBytes packet, std::size_t index) {
  if (ip.family() == Family::kIpv6) {
    store_u16(&packet[4], static_cast<std::uint16_t>(packet.size() - ip.header_size));
    return;
  }
  store_u16(&packet[2], static_cast<std::uint16_t>(packet.size()));
  store_u16(&packet[4], static_cast<std::uint16_t>(load_u16(&packet[4]) + index));
  store_u16(&packet[10], 0);
  store_u16(&packet[10], checksum_finish(checksum_add(0, packet.first(ip.header_size))));
}

void set_tcp_header(MutableBytes tcp, std::size_t payload_offset, bool first, bool last) {
  store_u32(&tcp[kTcpSeqOffset],
            load_u32(&tcp[kTcpSeqOffset]) + static_cast<std::uint32_t>(payload_offset));
  unsigned cleared = 0;
  if (!last) cleared |= tcp_flag::kFin | tcp_flag::kPsh;
  if (!first) cleared |= tcp_flag::kCwr;
  tcp[kTcpFlagsOffset] = static_cast<std::uint8_t>(tcp[kTcpFlagsOffset] & ~cleared);
}

Frame make_segment(const Headers& headers, const Frame& train, FramePool& pool, std::size_t index) {
  const std::size_t offset = index * train.offload.gso_size;
  const std::size_t n =
      std::min<std::size_t>(train.offload.gso_size, headers.payload_size - offset);
  Frame segment = pool.allocate(headers.size + n);
  const MutableBytes packet = segment.mutable_bytes();
  std::copy_n(train.data(), headers.size, packet.data());
  std::copy_n(train.data() + headers.size + offset, n, packet.data() + headers.size);
  set_ip_lengths(headers.ip, packet, index);
  const MutableBytes l4 = packet.subspan(headers.ip.header_size);
  if (headers.ip.protocol == kProtocolTcp) {
    set_tcp_header(l4, offset, index == 0, offset + n == headers.payload_size);
  } else {
    store_u16(&l4[kUdpLengthOffset], static_cast<std::uint16_t>(l4.size()));
  }
  IpHeader ip = headers.ip;
  ip.total_size = static_cast<std::uint32_t>(packet.size());
  complete_l4_checksum(ip, packet);
  segment.offload.checksum = Offload::Checksum::kVerified;
  return segment;
}

bool is_train(const Frame& frame) {
  return frame.offload.gso != Offload::Gso::kNone && frame.offload.gso_size != 0;
}

}  // namespace

tl::expected<void, DropReason> complete_checksum(Frame& frame) {
  if (frame.offload.checksum != Offload::Checksum::kPartial) return {};
  const auto headers = parse_headers(frame);
  if (!headers) return tl::unexpected(headers.error());
  complete_l4_checksum(headers->ip, frame.mutable_bytes());
  frame.offload.checksum = Offload::Checksum::kVerified;
  return {};
}

tl::expected<void, DropReason> segment(Frame frame, FramePool& pool, const FrameOutput& output) {
  if (!is_train(frame)) {
    const auto summed = complete_checksum(frame);
    if (summed) output(std::move(frame));
    return summed;
  }
  const auto headers = parse_headers(frame);
  if (!headers) return tl::unexpected(headers.error());
  const std::size_t size = frame.offload.gso_size;
  const std::size_t count = std::max<std::size_t>(1, (headers->payload_size + size - 1) / size);
  if (count > 1 && (headers->tcp_flags & (tcp_flag::kSyn | tcp_flag::kRst)) != 0) {
    return tl::unexpected(DropReason::kBadTcpHeader);  // these stand alone
  }
  for (std::size_t i = 0; i < count; ++i)
    output(make_segment(*headers, frame, pool, i));
  return {};
}

tl::expected<void, DropReason> conform(Frame frame, const LinkCapabilities& device, FramePool& pool,
                                       const FrameOutput& output) {
  switch (frame.offload.gso) {
    case Offload::Gso::kNone:
      if (!device.checksum_offload) return segment(std::move(frame), pool, output);
      break;
    case Offload::Gso::kTcp:
      if (!device.tcp_gso) return segment(std::move(frame), pool, output);
      break;
    case Offload::Gso::kUdp:
      if (!device.udp_gso) return segment(std::move(frame), pool, output);
      break;
  }
  output(std::move(frame));
  return {};
}

}  // namespace migd
