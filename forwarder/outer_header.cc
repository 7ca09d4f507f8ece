#include "forwarder/outer_header.h"

#include "base/check.h"
#include "base/checksum.h"

namespace migd {
namespace {

constexpr std::uint8_t kHopLimit = 64;

void fill_checksum(Frame& frame, const IpHeader& ip, OuterHeader::Checksum kind) {
  const std::size_t offset = ip.header_size + UdpView::kChecksumOffset;
  switch (kind) {
    case OuterHeader::Checksum::kNone:
      MIGD_CHECK(ip.family() == Family::kIpv4);
      frame.offload.checksum = Offload::Checksum::kUnknown;
      return;
    case OuterHeader::Checksum::kFull:
      complete_l4_checksum(ip, frame.mutable_bytes());
      frame.offload.checksum = Offload::Checksum::kVerified;
      return;
    case OuterHeader::Checksum::kPartial:
      store_u16(frame.data() + offset,
                checksum_fold(pseudo_header_sum(ip.src, ip.dst, ip.protocol,
                                                ip.total_size - ip.header_size)));
      frame.offload.checksum = Offload::Checksum::kPartial;
      return;
  }
}

}  // namespace

void prepend_outer_header(Frame& frame, const OuterHeader& header) {
  const MutableBytes udp = frame.prepend(UdpView::kHeaderSize);
  const std::size_t udp_size = frame.size();
  MIGD_CHECK(udp_size <= 65535);
  store_u16(&udp[0], header.src.port);
  store_u16(&udp[2], header.dst.port);
  store_u16(&udp[4], static_cast<std::uint16_t>(udp_size));
  store_u16(&udp[UdpView::kChecksumOffset], 0);

  IpHeader ip;
  ip.src = header.src.address;
  ip.dst = header.dst.address;
  ip.protocol = kProtocolUdp;
  ip.traffic_class = header.traffic_class;
  ip.hop_limit = kHopLimit;
  ip.header_size = static_cast<std::uint16_t>(ip_header_size(ip.family()));
  ip.total_size = static_cast<std::uint32_t>(ip.header_size + udp_size);
  // RFC 6864: with DF set the identification means nothing.
  write_ip_header(frame.prepend(ip.header_size), ip, udp_size, /*ipv4_id=*/0);
  fill_checksum(frame, ip, header.checksum);
}

}  // namespace migd
