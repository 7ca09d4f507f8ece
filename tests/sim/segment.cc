#include "tests/sim/segment.h"

#include <fmt/format.h>

#include <algorithm>

namespace migd::sim {
namespace {

constexpr std::uint8_t kTcp = 6, kUdp = 17;

std::uint32_t get(ByteView bytes, std::size_t at, std::size_t width) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < width; ++i)
    value = value << 8 | bytes[at + i];
  return value;
}

void put(MutableBytes bytes, std::size_t at, std::size_t width, std::uint32_t value) {
  for (std::size_t i = width; i-- > 0; value >>= 8) {
    bytes[at + i] = static_cast<std::uint8_t>(value);
  }
}

std::uint64_t sum_of(ByteView bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
    sum += get(bytes, i, 2);
  if (bytes.size() % 2 != 0) sum += std::uint64_t{bytes.back()} << 8;
  return sum;
}

std::uint16_t folded(std::uint64_t sum) {
  while (sum >> 16 != 0)
    sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

// Of the transport header and payload, with whatever is in the checksum field.
std::uint16_t transport_sum(const Addresses& ip, ByteView l4) {
  return folded(sum_of(ip.src.bytes()) + sum_of(ip.dst.bytes()) + ip.protocol + l4.size() +
                sum_of(l4));
}

// The transport part, as long as the IP header says; nothing when that does not fit.
std::optional<ByteView> transport_of(ByteView packet, const Addresses& ip) {
  const bool v4 = packet[0] >> 4 == 4;
  const std::size_t total = v4 ? get(packet, 2, 2) : 40 + get(packet, 4, 2);
  if (total > packet.size() || total < ip.header_size) return std::nullopt;
  return packet.subspan(ip.header_size, total - ip.header_size);
}

std::size_t checksum_offset(std::uint8_t protocol) {
  return protocol == kTcp ? 16 : 6;
}

bool decode_option(std::uint8_t kind, ByteView body, Segment& into) {
  switch (kind) {
    case 2:
      if (body.size() != 2) return false;
      into.mss = static_cast<std::uint16_t>(get(body, 0, 2));
      return true;
    case 3:
      if (body.size() != 1) return false;
      into.window_scale = body[0];
      return true;
    case 4:
      into.sack_permitted = true;
      return body.empty();
    case 5:
      if (body.size() % 8 != 0 || body.size() > 32 || body.empty()) return false;
      for (std::size_t at = 0; at < body.size(); at += 8) {
        into.blocks[into.block_count++] = {get(body, at, 4), get(body, at + 4, 4)};
      }
      return true;
    case 8:
      if (body.size() != 8) return false;
      into.timestamps = Segment::Timestamps{get(body, 0, 4), get(body, 4, 4)};
      return true;
    default:
      return true;
  }
}

bool decode_options(ByteView options, Segment& into) {
  while (!options.empty() && options[0] != 0) {
    if (options[0] == 1) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) return false;
    if (!decode_option(options[0], options.subspan(2, options[1] - 2u), into)) return false;
    options = options.subspan(options[1]);
  }
  return true;
}

void push(Bytes& out, std::size_t width, std::uint32_t value) {
  out.resize(out.size() + width);
  put(out, out.size() - width, width, value);
}

Bytes encode_options(const Segment& segment) {
  Bytes out;
  if (segment.mss) {
    push(out, 2, 0x0204);
    push(out, 2, *segment.mss);
  }
  if (segment.sack_permitted) push(out, 4, 0x01010402);
  if (segment.timestamps) {
    push(out, 4, 0x0101080a);
    push(out, 4, segment.timestamps->value);
    push(out, 4, segment.timestamps->echo);
  }
  if (segment.window_scale) {
    push(out, 3, 0x010303);
    push(out, 1, *segment.window_scale);
  }
  if (segment.block_count > 0) {
    push(out, 3, 0x010105);
    push(out, 1, static_cast<std::uint32_t>(2 + 8 * segment.block_count));
    for (std::size_t i = 0; i < segment.block_count; ++i) {
      push(out, 4, segment.blocks[i].left);
      push(out, 4, segment.blocks[i].right);
    }
  }
  return out;
}

void put_ip_header(MutableBytes packet, const Segment& segment) {
  const bool v4 = segment.src.address.is_v4();
  const ByteView src = segment.src.address.bytes(), dst = segment.dst.address.bytes();
  if (v4) {
    put(packet, 0, 2, 0x4500);
    put(packet, 2, 2, static_cast<std::uint32_t>(packet.size()));
    put(packet, 6, 2, 0x4000);
    packet[8] = segment.hop_limit;
    packet[9] = kTcp;
  } else {
    put(packet, 0, 4, 0x60000000);
    put(packet, 4, 2, static_cast<std::uint32_t>(packet.size() - 40));
    packet[6] = kTcp;
    packet[7] = segment.hop_limit;
  }
  std::copy(src.begin(), src.end(), packet.begin() + (v4 ? 12 : 8));
  std::copy(dst.begin(), dst.end(), packet.begin() + (v4 ? 16 : 24));
}

}  // namespace

std::optional<Addresses> addresses_of(ByteView packet) {
  Addresses found;
  if (packet.size() >= 20 && packet[0] >> 4 == 4) {
    found.header_size = std::size_t{packet[0]} % 16 * 4;
    found.protocol = packet[9];
    found.src = IpAddress::from_bytes(packet.subspan(12, 4));
    found.dst = IpAddress::from_bytes(packet.subspan(16, 4));
    if (found.header_size < 20 || found.header_size > packet.size()) return std::nullopt;
  } else if (packet.size() >= 40 && packet[0] >> 4 == 6) {
    found.header_size = 40;
    found.protocol = packet[6];
    found.src = IpAddress::from_bytes(packet.subspan(8, 16));
    found.dst = IpAddress::from_bytes(packet.subspan(24, 16));
  } else {
    return std::nullopt;
  }
  return found;
}

void fill_checksums(MutableBytes packet) {
  const auto ip = addresses_of(packet);
  if (!ip) return;
  if (packet[0] >> 4 == 4) {
    put(packet, 10, 2, 0);
    put(packet, 10, 2, ~folded(sum_of(packet.first(ip->header_size))) & 0xffffu);
  }
  const auto l4 = transport_of(packet, *ip);
  if (!l4 || (ip->protocol != kTcp && ip->protocol != kUdp)) return;
  const std::size_t at = checksum_offset(ip->protocol);
  if (l4->size() < at + 2) return;
  put(packet, ip->header_size + at, 2, 0);
  std::uint32_t sum = ~transport_sum(*ip, *l4) & 0xffffu;
  if (sum == 0 && ip->protocol == kUdp) sum = 0xffff;  // zero would mean "none" (RFC 768)
  put(packet, ip->header_size + at, 2, sum);
}

bool checksums_hold(ByteView packet) {
  const auto ip = addresses_of(packet);
  if (!ip) return false;
  if (packet[0] >> 4 == 4 && folded(sum_of(packet.first(ip->header_size))) != 0xffff) return false;
  const auto l4 = transport_of(packet, *ip);
  if (!l4 || (ip->protocol != kTcp && ip->protocol != kUdp)) return false;
  return l4->size() >= checksum_offset(ip->protocol) + 2 && transport_sum(*ip, *l4) == 0xffff;
}

std::optional<Segment> decode(ByteView packet) {
  const auto ip = addresses_of(packet);
  if (!ip || ip->protocol != kTcp || !checksums_hold(packet)) return std::nullopt;
  const ByteView l4 = *transport_of(packet, *ip);
  if (l4.size() < 20) return std::nullopt;
  const std::size_t header_size = std::size_t{l4[12]} / 16 * 4;
  if (header_size < 20 || header_size > l4.size()) return std::nullopt;
  Segment out;
  out.src = {ip->src, static_cast<std::uint16_t>(get(l4, 0, 2))};
  out.dst = {ip->dst, static_cast<std::uint16_t>(get(l4, 2, 2))};
  out.seq = get(l4, 4, 4);
  out.ack = get(l4, 8, 4);
  out.flags = l4[13];
  out.window = static_cast<std::uint16_t>(get(l4, 14, 2));
  out.hop_limit = packet[0] >> 4 == 4 ? packet[8] : packet[7];
  out.payload = l4.subspan(header_size);
  if (!decode_options(l4.subspan(20, header_size - 20), out)) return std::nullopt;
  return out;
}

Bytes encode(const Segment& segment) {
  const Bytes options = encode_options(segment);
  const std::size_t ip_size = segment.src.address.is_v4() ? 20 : 40;
  Bytes packet(ip_size + 20 + options.size() + segment.payload.size());
  put_ip_header(packet, segment);
  const MutableBytes l4 = MutableBytes(packet).subspan(ip_size);
  put(l4, 0, 2, segment.src.port);
  put(l4, 2, 2, segment.dst.port);
  put(l4, 4, 4, segment.seq);
  put(l4, 8, 4, segment.ack);
  l4[12] = static_cast<std::uint8_t>((20 + options.size()) / 4 << 4);
  l4[13] = segment.flags;
  put(l4, 14, 2, segment.window);
  std::copy(options.begin(), options.end(), l4.begin() + 20);
  std::copy(segment.payload.begin(), segment.payload.end(),
            l4.begin() + 20 + static_cast<std::ptrdiff_t>(options.size()));
  fill_checksums(packet);
  return packet;
}

std::string Segment::to_string() const {
  std::string names;
  for (const auto& [flag, name] :
       {std::pair{kSyn, 'S'}, {kFin, 'F'}, {kRst, 'R'}, {kPsh, 'P'}, {kAck, '.'}}) {
    if (has(flag)) names += name;
  }
  std::string text = fmt::format("{} > {} [{}] seq {}+{} ack {} win {}", src.to_string(),
                                 dst.to_string(), names, seq, length(), ack, window);
  if (timestamps) text += fmt::format(" ts {}/{}", timestamps->value, timestamps->echo);
  for (std::size_t i = 0; i < block_count; ++i) {
    text += fmt::format(" sack {}-{}", blocks[i].left, blocks[i].right);
  }
  return text;
}

}  // namespace migd::sim
