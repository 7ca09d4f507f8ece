#include "forwarder/gue.h"

#include <algorithm>

#include "base/check.h"
#include "base/reader.h"
#include "base/writer.h"

namespace migd {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kWord = 4;
constexpr std::uint8_t kProtocolIpv4 = 4;
constexpr std::uint8_t kProtocolIpv6 = 41;

enum Flag : std::uint8_t {
  kForwarded = 0x80,
  kReference = 0x40,
  kReferenceIpv6 = 0x20,
  kTag = 0x10,
};
constexpr std::uint8_t kKnownFlags = kForwarded | kReference | kReferenceIpv6 | kTag;

std::size_t address_size(bool ipv6) {
  return ipv6 ? 16 : 4;
}

std::size_t reference_size(bool ipv6) {
  return 2 * (address_size(ipv6) + 2) + 2 * 4;
}

bool is_ipv6(const GueReference& reference) {
  return !reference.tuple.local.address.is_v4();
}

std::uint8_t flags_of(const GueHeader& header) {
  std::uint8_t flags = header.forwarded ? kForwarded : 0;
  if (header.reference) flags |= kReference;
  if (header.reference && is_ipv6(*header.reference)) flags |= kReferenceIpv6;
  if (header.tag) flags |= kTag;
  return flags;
}

void write_reference(ByteWriter& out, const GueReference& reference) {
  const FourTuple& tuple = reference.tuple;
  MIGD_CHECK(tuple.local.address.family() == tuple.peer.address.family());
  out.bytes(tuple.local.address.bytes());
  out.bytes(tuple.peer.address.bytes());
  out.u16(tuple.local.port);
  out.u16(tuple.peer.port);
  out.u32(reference.send_next.value());
  out.u32(reference.receive_next.value());
}

GueReference read_reference(BoundedReader& in, bool ipv6) {
  GueReference reference;
  reference.tuple.local.address = IpAddress::from_bytes(in.bytes(address_size(ipv6)));
  reference.tuple.peer.address = IpAddress::from_bytes(in.bytes(address_size(ipv6)));
  reference.tuple.local.port = in.u16();
  reference.tuple.peer.port = in.u16();
  reference.send_next = SeqNum(in.u32());
  reference.receive_next = SeqNum(in.u32());
  return reference;
}

// What the flags say the header's size must be; 0 when they make no sense.
std::size_t size_by_flags(std::uint8_t flags) {
  if ((flags & ~kKnownFlags) != 0) return 0;
  const bool ipv6 = (flags & kReferenceIpv6) != 0;
  if (ipv6 && (flags & kReference) == 0) return 0;
  std::size_t size = GueHeader::kFixedSize;
  if ((flags & kReference) != 0) size += reference_size(ipv6);
  if ((flags & kTag) != 0) size += GueHeader::kTagSize;
  return size;
}

}  // namespace

std::size_t GueHeader::size() const {
  return size_by_flags(flags_of(*this));
}

void GueHeader::serialize(Bytes& bytes) const {
  ByteWriter out(bytes);
  out.u8(static_cast<std::uint8_t>(size() / kWord - 1));  // variant 0, data message
  out.u8(inner == Family::kIpv4 ? kProtocolIpv4 : kProtocolIpv6);
  out.u16(0);
  out.u8(kVersion);
  out.u8(flags_of(*this));
  out.u8(hops);
  out.u8(0);
  out.u32(tenure.epoch.value);
  out.u32(flow.value);
  out.u16(next_hop.value);
  out.u16(0);
  tenure.connection.write(out);
  if (reference) write_reference(out, *reference);
  if (tag) out.bytes(*tag);
}

tl::expected<GueHeader, DropReason> GueHeader::parse(ByteView udp_payload) {
  const auto refused = tl::unexpected(DropReason::kBadEncapsulation);
  BoundedReader in(udp_payload);
  const std::uint8_t first = in.u8();
  const std::uint8_t protocol = in.u8();
  const std::uint16_t extensions = in.u16();
  const std::uint8_t version = in.u8();
  const std::uint8_t flags = in.u8();
  const std::size_t size = size_by_flags(flags);
  if (!in.ok() || version != kVersion || extensions != 0 || size == 0 || size > udp_payload.size())
    return refused;
  if (first != size / kWord - 1) return refused;  // or it is of another variant, or control
  if (protocol != kProtocolIpv4 && protocol != kProtocolIpv6) return refused;

  GueHeader header;
  header.inner = protocol == kProtocolIpv4 ? Family::kIpv4 : Family::kIpv6;
  header.forwarded = (flags & kForwarded) != 0;
  header.hops = in.u8();
  in.skip(1);
  header.tenure.epoch = Epoch{in.u32()};
  header.flow = FlowId{in.u32()};
  header.next_hop = NodeId{in.u16()};
  in.skip(2);
  header.tenure.connection = ConnectionId::read(in);
  if ((flags & kReference) != 0)
    header.reference = read_reference(in, (flags & kReferenceIpv6) != 0);
  if ((flags & kTag) != 0) {
    const ByteView tag = in.bytes(kTagSize);
    header.tag.emplace();
    std::copy(tag.begin(), tag.end(), header.tag->begin());
  }
  return header;
}

}  // namespace migd
