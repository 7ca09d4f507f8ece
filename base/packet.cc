#include "base/packet.h"

#include <algorithm>

#include "base/check.h"
#include "base/checksum.h"

namespace migd {
namespace {

constexpr std::uint8_t kProtocolIpv6Fragment = 44;
constexpr std::size_t kIpv4ChecksumOffset = 10;

tl::expected<IpHeader, DropReason> parse_ipv4(ByteView packet) {
  if (packet.size() < 20) return tl::unexpected(DropReason::kTruncated);
  const std::size_t header_size = std::size_t{packet[0] & 0x0fu} * 4;
  const std::size_t total_size = load_u16(&packet[2]);
  if (header_size < 20) return tl::unexpected(DropReason::kBadIpHeader);
  if (header_size > packet.size()) return tl::unexpected(DropReason::kTruncated);
  if (total_size < header_size) return tl::unexpected(DropReason::kBadIpHeader);
  if (total_size > packet.size()) return tl::unexpected(DropReason::kTruncated);
  if (checksum_finish(checksum_add(0, packet.first(header_size))) != 0) {
    return tl::unexpected(DropReason::kBadIpHeader);
  }
  IpHeader ip;
  ip.src = IpAddress::from_bytes(packet.subspan(12, 4));
  ip.dst = IpAddress::from_bytes(packet.subspan(16, 4));
  ip.protocol = packet[9];
  ip.traffic_class = packet[1];
  ip.hop_limit = packet[8];
  ip.header_size = static_cast<std::uint16_t>(header_size);
  ip.total_size = static_cast<std::uint32_t>(total_size);
  ip.is_fragment = (load_u16(&packet[6]) & 0x3fff) != 0;  // MF, or an offset
  return ip;
}

tl::expected<IpHeader, DropReason> parse_ipv6(ByteView packet) {
  if (packet.size() < 40) return tl::unexpected(DropReason::kTruncated);
  const std::size_t total_size = 40 + std::size_t{load_u16(&packet[4])};
  if (total_size > packet.size()) return tl::unexpected(DropReason::kTruncated);
  IpHeader ip;
  ip.src = IpAddress::from_bytes(packet.subspan(8, 16));
  ip.dst = IpAddress::from_bytes(packet.subspan(24, 16));
  ip.protocol = packet[6];
  ip.traffic_class = static_cast<std::uint8_t>(load_u16(&packet[0]) >> 4);
  ip.hop_limit = packet[7];
  ip.header_size = 40;
  ip.total_size = static_cast<std::uint32_t>(total_size);
  ip.is_fragment = ip.protocol == kProtocolIpv6Fragment;
  return ip;
}

std::uint16_t l4_sum(const IpHeader& ip, ByteView l4) {
  return checksum_fold(checksum_add(pseudo_header_sum(ip.src, ip.dst, ip.protocol, l4.size()), l4));
}

bool udp_checksum_ok(const IpHeader& ip, ByteView l4) {
  if (l4.size() < UdpView::kHeaderSize) return false;
  const std::size_t length = load_u16(&l4[4]);
  if (length < UdpView::kHeaderSize || length > l4.size()) return false;
  // RFC 768: zero means that none was computed. RFC 8200 8.1 forbids that.
  if (load_u16(&l4[UdpView::kChecksumOffset]) == 0) return ip.family() == Family::kIpv4;
  return l4_sum(ip, l4.first(length)) == 0xffff;
}

}  // namespace

tl::expected<IpHeader, DropReason> parse_ip(ByteView packet) {
  if (packet.empty()) return tl::unexpected(DropReason::kTruncated);
  switch (packet[0] >> 4) {
    case 4:
      return parse_ipv4(packet);
    case 6:
      return parse_ipv6(packet);
    default:
      return tl::unexpected(DropReason::kBadIpHeader);
  }
}

void write_ip_header(MutableBytes out, const IpHeader& header, std::size_t payload_size,
                     std::uint16_t ipv4_id) {
  const std::size_t size = ip_header_size(header.family());
  MIGD_CHECK(out.size() >= size && header.dst.family() == header.family());
  std::fill_n(out.begin(), size, std::uint8_t{0});
  if (header.family() == Family::kIpv4) {
    MIGD_CHECK(size + payload_size <= 65535);
    out[0] = 0x45;
    out[1] = header.traffic_class;
    store_u16(&out[2], static_cast<std::uint16_t>(size + payload_size));
    store_u16(&out[4], ipv4_id);
    store_u16(&out[6], 0x4000);  // DF
    out[8] = header.hop_limit;
    out[9] = header.protocol;
    std::copy_n(header.src.bytes().begin(), 4, &out[12]);
    std::copy_n(header.dst.bytes().begin(), 4, &out[16]);
    store_u16(&out[kIpv4ChecksumOffset], checksum_finish(checksum_add(0, out.first(size))));
  } else {
    MIGD_CHECK(payload_size <= 65535);
    store_u16(&out[0], static_cast<std::uint16_t>(0x6000 | header.traffic_class << 4));
    store_u16(&out[4], static_cast<std::uint16_t>(payload_size));
    out[6] = header.protocol;
    out[7] = header.hop_limit;
    std::copy_n(header.src.bytes().begin(), 16, &out[8]);
    std::copy_n(header.dst.bytes().begin(), 16, &out[24]);
  }
}

tl::expected<TcpView, DropReason> TcpView::parse(ByteView l4) {
  if (l4.size() < kMinSize) return tl::unexpected(DropReason::kTruncated);
  const TcpView view(l4);
  if (view.header_size() < kMinSize || view.header_size() > l4.size()) {
    return tl::unexpected(DropReason::kBadTcpHeader);
  }
  return view;
}

std::uint32_t TcpView::seq_length() const {
  return static_cast<std::uint32_t>(payload().size()) + (has(tcp_flag::kSyn) ? 1u : 0u) +
         (has(tcp_flag::kFin) ? 1u : 0u);
}

namespace {

enum TcpOptionKind : std::uint8_t {
  kEnd = 0,
  kNoOperation = 1,
  kMss = 2,
  kWindowScale = 3,
  kSackPermitted = 4,
  kSack = 5,
  kTimestamps = 8,
};

constexpr std::uint8_t kWindowScaleMax = 14;  // RFC 7323 2.3: a larger one counts as 14

// False when the option has a length that its kind cannot have.
bool take_option(TcpOptions& options, std::uint8_t kind, BoundedReader body) {
  const std::size_t size = body.remaining();
  switch (kind) {
    case kMss:
      if (size != 2) return false;
      options.mss = body.u16();
      return true;
    case kWindowScale:
      if (size != 1) return false;
      options.window_scale = std::min(body.u8(), kWindowScaleMax);
      return true;
    case kSackPermitted:
      options.sack_permitted = size == 0;
      return size == 0;
    case kTimestamps: {
      if (size != 8) return false;
      const std::uint32_t value = body.u32();
      options.timestamps = TcpOptions::Timestamps{value, body.u32()};
      return true;
    }
    case kSack:
      if (size == 0 || size % 8 != 0 || size / 8 > options.sack_blocks.size()) return false;
      options.sack_block_count = size / 8;
      for (std::size_t i = 0; i < options.sack_block_count; ++i) {
        const SeqNum left(body.u32());
        options.sack_blocks[i] = {left, SeqNum(body.u32())};
      }
      return true;
    default:
      return true;  // unknown ones are skipped
  }
}

}  // namespace

TcpOptions TcpOptions::parse(ByteView bytes) {
  TcpOptions options;
  BoundedReader in(bytes);
  while (in.remaining() > 0) {
    const std::uint8_t kind = in.u8();
    if (kind == kEnd) break;
    if (kind == kNoOperation) continue;
    const std::uint8_t length = in.u8();  // counts kind and length too
    const ByteView body = in.bytes(length >= 2 ? length - 2u : 0u);
    if (!in.ok() || length < 2 || !take_option(options, kind, BoundedReader(body))) {
      options.well_formed = false;
      break;
    }
  }
  return options;
}

tl::expected<UdpView, DropReason> UdpView::parse(ByteView l4) {
  if (l4.size() < kHeaderSize) return tl::unexpected(DropReason::kTruncated);
  const std::size_t length = load_u16(&l4[4]);
  if (length < kHeaderSize || length > l4.size()) return tl::unexpected(DropReason::kTruncated);
  return UdpView(l4.first(length));
}

tl::expected<IcmpView, DropReason> IcmpView::parse(ByteView l4) {
  BoundedReader in(l4);
  IcmpView view;
  view.type = in.u8();
  view.code = in.u8();
  in.skip(2);  // checksum
  view.rest_of_header = in.u32();
  if (!in.ok()) return tl::unexpected(DropReason::kTruncated);
  view.quoted = in.rest();
  return view;
}

bool l4_checksum_ok(const IpHeader& ip, const Frame& frame) {
  if (frame.offload.checksum != Offload::Checksum::kUnknown) return true;
  MIGD_CHECK(ip.header_size <= ip.total_size && ip.total_size <= frame.size());
  const ByteView l4 = frame.bytes().subspan(ip.header_size, ip.total_size - ip.header_size);
  switch (ip.protocol) {
    case kProtocolTcp:
    case kProtocolIcmpv6:
      return l4_sum(ip, l4) == 0xffff;
    case kProtocolUdp:
      return udp_checksum_ok(ip, l4);
    case kProtocolIcmp:
      return checksum_fold(checksum_add(0, l4)) == 0xffff;
    default:
      return true;  // no checksum that we know of
  }
}

void complete_l4_checksum(const IpHeader& ip, MutableBytes packet) {
  MIGD_CHECK(ip.header_size <= ip.total_size && ip.total_size <= packet.size());
  const MutableBytes l4 = packet.subspan(ip.header_size, ip.total_size - ip.header_size);
  const bool udp = ip.protocol == kProtocolUdp;
  MIGD_CHECK(udp || ip.protocol == kProtocolTcp);
  const std::size_t at = udp ? UdpView::kChecksumOffset : TcpView::kChecksumOffset;
  MIGD_CHECK(at + 2 <= l4.size());
  store_u16(&l4[at], 0);
  auto field = static_cast<std::uint16_t>(~l4_sum(ip, l4));
  if (udp && field == 0) field = 0xffff;  // zero would mean that there is none
  store_u16(&l4[at], field);
}

}  // namespace migd
