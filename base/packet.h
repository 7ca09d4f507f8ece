// Checked views of IP, TCP, UDP and ICMP headers. Parsing validates every length against the bytes
// that are there, so that the accessors need no checks; whoever holds a view may read what it
// names. Setters write through a MutableBytes that was parsed before.
#pragma once

#include <cstdint>
#include <optional>
#include <tl/expected.hpp>

#include "base/address.h"
#include "base/bytes.h"
#include "base/drop_reason.h"
#include "base/frame.h"
#include "base/seq.h"

namespace migd {

inline constexpr std::uint8_t kProtocolIcmp = 1;
inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint8_t kProtocolUdp = 17;
inline constexpr std::uint8_t kProtocolIcmpv6 = 58;

constexpr std::uint8_t icmp_of(Family family) {
  return family == Family::kIpv4 ? kProtocolIcmp : kProtocolIcmpv6;
}

inline std::uint16_t load_u16(const std::uint8_t* p) {
  return static_cast<std::uint16_t>(p[0] << 8 | p[1]);
}
inline std::uint32_t load_u32(const std::uint8_t* p) {
  return std::uint32_t{load_u16(p)} << 16 | load_u16(p + 2);
}
inline void store_u16(std::uint8_t* p, std::uint16_t v) {
  p[0] = static_cast<std::uint8_t>(v >> 8);
  p[1] = static_cast<std::uint8_t>(v);
}
inline void store_u32(std::uint8_t* p, std::uint32_t v) {
  store_u16(p, static_cast<std::uint16_t>(v >> 16));
  store_u16(p + 2, static_cast<std::uint16_t>(v));
}

// What an IP header says (RFC 791, RFC 8200). IPv6 extension headers are not walked: the protocol
// is then theirs, and the packet is refused as unsupported.
struct IpHeader {
  IpAddress src;
  IpAddress dst;
  std::uint8_t protocol = 0;
  std::uint8_t traffic_class = 0;
  std::uint8_t hop_limit = 0;
  std::uint16_t header_size = 0;  // bytes before the payload
  std::uint32_t total_size = 0;   // header and payload; may be less than the buffer (padding)
  bool is_fragment = false;

  Family family() const { return src.family(); }
};

tl::expected<IpHeader, DropReason> parse_ip(ByteView packet);

// Writes a header of 20 (IPv4, with DF set and its checksum) or 40 (IPv6) bytes at the front of
// `out`. payload_size is what follows it.
void write_ip_header(MutableBytes out, const IpHeader& header, std::size_t payload_size,
                     std::uint16_t ipv4_id);
inline constexpr std::size_t ip_header_size(Family family) {
  return family == Family::kIpv4 ? 20 : 40;
}

namespace tcp_flag {
inline constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10,
                              kUrg = 0x20, kEce = 0x40, kCwr = 0x80;
}

// A view of a TCP segment (RFC 9293 3.1): the header with its options and the payload.
class TcpView {
 public:
  static constexpr std::size_t kMinSize = 20;
  static constexpr std::size_t kChecksumOffset = 16;

  // `l4` is the IP payload, exactly.
  static tl::expected<TcpView, DropReason> parse(ByteView l4);

  std::uint16_t src_port() const { return load_u16(l4_.data()); }
  std::uint16_t dst_port() const { return load_u16(l4_.data() + 2); }
  SeqNum seq() const { return SeqNum(load_u32(l4_.data() + 4)); }
  SeqNum ack() const { return SeqNum(load_u32(l4_.data() + 8)); }
  std::uint8_t flags() const { return l4_[13]; }
  bool has(std::uint8_t flag) const { return (flags() & flag) != 0; }
  std::uint16_t window() const { return load_u16(l4_.data() + 14); }
  std::uint16_t checksum() const { return load_u16(l4_.data() + kChecksumOffset); }
  std::size_t header_size() const { return std::size_t{l4_[12]} / 16 * 4; }
  ByteView options() const { return l4_.subspan(kMinSize, header_size() - kMinSize); }
  ByteView payload() const { return l4_.subspan(header_size()); }
  // Sequence space the segment takes: payload, plus one each for SYN and FIN.
  std::uint32_t seq_length() const;

 private:
  explicit TcpView(ByteView l4) : l4_(l4) {}
  ByteView l4_;
};

// The options a TCP header carries that we use (RFC 9293 3.2, RFC 7323, RFC 2018). Absent or
// malformed ones are left unset; parsing stops at the first that does not fit.
struct TcpOptions {
  std::optional<std::uint16_t> mss;
  std::optional<std::uint8_t> window_scale;
  bool sack_permitted = false;
  struct Timestamps {
    std::uint32_t value = 0, echo = 0;
  };
  std::optional<Timestamps> timestamps;
  struct SackBlock {
    SeqNum left, right;
  };
  std::array<SackBlock, 4> sack_blocks{};
  std::size_t sack_block_count = 0;
  bool well_formed = true;

  static TcpOptions parse(ByteView options);
};

// A UDP datagram (RFC 768).
class UdpView {
 public:
  static constexpr std::size_t kHeaderSize = 8;
  static constexpr std::size_t kChecksumOffset = 6;
  static tl::expected<UdpView, DropReason> parse(ByteView l4);

  std::uint16_t src_port() const { return load_u16(l4_.data()); }
  std::uint16_t dst_port() const { return load_u16(l4_.data() + 2); }
  std::uint16_t checksum() const { return load_u16(l4_.data() + kChecksumOffset); }
  ByteView payload() const { return l4_.subspan(kHeaderSize); }

 private:
  explicit UdpView(ByteView l4) : l4_(l4) {}
  ByteView l4_;
};

// An ICMP or ICMPv6 message (RFC 792, RFC 4443): type, code and what it quotes.
struct IcmpView {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint32_t rest_of_header = 0;  // MTU of "too big" messages in here
  ByteView quoted;                   // the packet it is about, as far as it was quoted
  static tl::expected<IcmpView, DropReason> parse(ByteView l4);
};

// True when the L4 checksum of the packet holds, or need not be verified (frame.offload).
bool l4_checksum_ok(const IpHeader& ip, const Frame& frame);

// Fills in the complete TCP or UDP checksum of `packet` (one whole IP packet).
void complete_l4_checksum(const IpHeader& ip, MutableBytes packet);

}  // namespace migd
