#include "stack/links/virtio_header.h"

#include <cstring>

#include "base/checksum.h"

namespace migd {
namespace {

// <linux/virtio_net.h> is not C++, and Debian 12's does not know all of these.
struct VirtioNetHdr {
  std::uint8_t flags, gso_type;
  std::uint16_t hdr_len, gso_size, csum_start, csum_offset;
};
static_assert(sizeof(VirtioNetHdr) == kVirtioHeaderSize);

constexpr std::uint8_t kNeedsChecksum = 1, kDataValid = 2;  // flags
constexpr std::uint8_t kGsoNone = 0, kGsoTcpV4 = 1, kGsoTcpV6 = 4, kGsoUdpL4 = 5, kGsoEcn = 0x80;

std::size_t checksum_offset(std::uint8_t protocol) {
  return protocol == kProtocolTcp ? TcpView::kChecksumOffset : UdpView::kChecksumOffset;
}

bool is_tcp_or_udp(const IpHeader& ip) {
  return ip.protocol == kProtocolTcp || ip.protocol == kProtocolUdp;
}

// Completes a checksum that is not where TCP and UDP have theirs (an inner packet's, for example).
tl::expected<void, DropReason> complete_elsewhere(std::size_t start, std::size_t offset,
                                                  Frame& frame) {
  const MutableBytes packet = frame.mutable_bytes();
  if (start + offset + 2 > packet.size()) return tl::unexpected(DropReason::kTruncated);
  const std::uint16_t sum = checksum_finish(checksum_add(0, packet.subspan(start)));
  store_u16(&packet[start + offset], sum == 0 ? 0xffff : sum);
  frame.offload.checksum = Offload::Checksum::kVerified;
  return {};
}

tl::expected<void, DropReason> read_checksum(const VirtioNetHdr& header,
                                             std::size_t link_header_size, Frame& frame) {
  if ((header.flags & kNeedsChecksum) == 0) {
    frame.offload.checksum = (header.flags & kDataValid) != 0 ? Offload::Checksum::kVerified
                                                              : Offload::Checksum::kUnknown;
    return {};
  }
  if (header.csum_start < link_header_size) return tl::unexpected(DropReason::kTruncated);
  const std::size_t start = header.csum_start - link_header_size;
  const auto ip = parse_ip(frame.bytes());
  if (ip && is_tcp_or_udp(*ip) && start == ip->header_size &&
      header.csum_offset == checksum_offset(ip->protocol)) {
    frame.offload.checksum = Offload::Checksum::kPartial;
    return {};
  }
  if (frame.offload.gso != Offload::Gso::kNone) {
    return tl::unexpected(DropReason::kUnsupportedProtocol);  // a train inside of another packet
  }
  return complete_elsewhere(start, header.csum_offset, frame);
}

tl::expected<void, DropReason> read_gso(const VirtioNetHdr& header, Frame& frame) {
  switch (header.gso_type & ~kGsoEcn) {
    case kGsoNone:
      return {};
    case kGsoTcpV4:
    case kGsoTcpV6:
      frame.offload.gso = Offload::Gso::kTcp;
      break;
    case kGsoUdpL4:
      frame.offload.gso = Offload::Gso::kUdp;
      break;
    default:
      return tl::unexpected(DropReason::kUnsupportedProtocol);
  }
  if (header.gso_size == 0) return tl::unexpected(DropReason::kTruncated);
  frame.offload.gso_size = header.gso_size;
  return {};
}

void make_partial(const IpHeader& ip, MutableBytes l4) {
  const std::uint32_t sum = pseudo_header_sum(ip.src, ip.dst, ip.protocol, l4.size());
  store_u16(&l4[checksum_offset(ip.protocol)], checksum_fold(sum));
}

std::uint8_t gso_type(const IpHeader& ip, std::uint8_t tcp_flags) {
  if (ip.protocol == kProtocolUdp) return kGsoUdpL4;
  const unsigned type = ip.family() == Family::kIpv4 ? kGsoTcpV4 : kGsoTcpV6;
  // So that CWR stays with the first segment.
  const unsigned ecn = (tcp_flags & tcp_flag::kCwr) != 0 ? kGsoEcn : 0u;
  return static_cast<std::uint8_t>(type | ecn);
}

VirtioHeader to_bytes(const VirtioNetHdr& header) {
  VirtioHeader bytes;
  std::memcpy(bytes.data(), &header, bytes.size());
  return bytes;
}

}  // namespace

tl::expected<void, DropReason> read_virtio_header(const VirtioHeader& bytes,
                                                  std::size_t link_header_size, Frame& frame) {
  VirtioNetHdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  frame.offload = {};
  const auto gso = read_gso(header, frame);
  return gso ? read_checksum(header, link_header_size, frame) : gso;
}

tl::expected<VirtioHeader, DropReason> write_virtio_header(Frame& frame,
                                                           std::size_t link_header_size) {
  VirtioNetHdr header{};
  const Offload& offload = frame.offload;
  const bool train = offload.gso != Offload::Gso::kNone;
  const bool partial = offload.checksum == Offload::Checksum::kPartial;
  if (!train && !partial) return to_bytes(header);

  const auto ip = parse_ip(frame.bytes());
  if (!ip) return tl::unexpected(ip.error());
  const MutableBytes l4 =
      frame.mutable_bytes().subspan(ip->header_size, ip->total_size - ip->header_size);
  std::size_t l4_header_size = UdpView::kHeaderSize;
  std::uint8_t tcp_flags = 0;
  if (ip->protocol == kProtocolTcp) {
    const auto tcp = TcpView::parse(l4);
    if (!tcp) return tl::unexpected(tcp.error());
    l4_header_size = tcp->header_size();
    tcp_flags = tcp->flags();
  } else if (ip->protocol != kProtocolUdp) {
    return tl::unexpected(DropReason::kUnsupportedProtocol);
  } else if (l4.size() < UdpView::kHeaderSize) {
    return tl::unexpected(DropReason::kTruncated);
  }
  if (!partial) {
    make_partial(*ip, l4);
    frame.offload.checksum = Offload::Checksum::kPartial;
  }

  const std::size_t headers_size = ip->header_size + l4_header_size;
  header.flags = kNeedsChecksum;
  header.csum_start = static_cast<std::uint16_t>(link_header_size + ip->header_size);
  header.csum_offset = static_cast<std::uint16_t>(checksum_offset(ip->protocol));
  header.hdr_len = static_cast<std::uint16_t>(link_header_size + headers_size);
  // The kernel refuses a train that holds no more than one segment.
  if (train && ip->total_size > headers_size + offload.gso_size) {
    header.gso_type = gso_type(*ip, tcp_flags);
    header.gso_size = offload.gso_size;
  }
  return to_bytes(header);
}

}  // namespace migd
