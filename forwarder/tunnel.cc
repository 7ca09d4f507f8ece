#include "forwarder/tunnel.h"

#include <algorithm>

#include "base/siphash.h"
#include "forwarder/mapped_format.h"
#include "forwarder/outer_header.h"
#include "stack/links/segmenter.h"

namespace migd {
namespace {

constexpr std::uint16_t kEntropyPortFirst = 49152;  // GUE draft 5.11: the ephemeral range
constexpr std::uint16_t kEntropyMask = 0x3fff;
constexpr std::uint8_t kDscpMask = 0xfc;  // RFC 6040 4.3: the outer header is not ECN-capable

ByteView l4_of(const Frame& frame, const IpHeader& ip) {
  return frame.bytes().subspan(ip.header_size, ip.total_size - ip.header_size);
}

}  // namespace

Tunnel::Tunnel(const NodeInfo& self, const std::vector<NodeInfo>& peers, std::uint16_t gue_port,
               std::uint16_t channel_port, const LinkCapabilities& link,
               std::shared_ptr<FramePool> pool, FrameSink& output, DropCounters& drops, Rng& rng)
    : self_(self),
      peers_(peers),
      gue_port_(gue_port),
      channel_port_(channel_port),
      link_(link),
      pool_(std::move(pool)),
      output_(output),
      drops_(drops) {
  rng.fill(key_);
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    peer_by_id_[peers_[i].id.value] = i;
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      if (const auto& address = peers_[i].tunnel(family)) peer_by_address_[*address] = peers_[i].id;
    }
  }
}

// ---- who is who ----

std::size_t Tunnel::AddressHash::operator()(const IpAddress& address) const {
  // Strangers choose what is looked up here, but not what is in it.
  const ByteView bytes = address.bytes();
  return load_u32(&bytes[bytes.size() - 4]);
}

const NodeInfo* Tunnel::peer(NodeId id) const {
  const auto it = peer_by_id_.find(id.value);
  return it == peer_by_id_.end() ? nullptr : &peers_[it->second];
}

std::optional<NodeId> Tunnel::peer_at(const IpAddress& address) const {
  const auto it = peer_by_address_.find(address);
  if (it == peer_by_address_.end()) return std::nullopt;
  return it->second;
}

bool Tunnel::is_own_address(const IpAddress& address) const {
  return self_.tunnel(address.family()) == address;
}

bool Tunnel::is_tunnel_address(const IpAddress& address) const {
  return is_own_address(address) || peer_at(address).has_value();
}

bool Tunnel::can_map(NodeId owner, Family family) const {
  const NodeInfo* to = peer(owner);
  return to != nullptr && to->tunnel(family) && self_.tunnel(family);
}

bool Tunnel::drop(DropReason reason) {
  drops_.count(reason);
  return false;
}

// ---- format A ----

bool Tunnel::fits_mapped(const Frame& frame) const {
  if (frame.offload.gso == Offload::Gso::kNone) return frame.size() <= link_.mtu;
  const std::size_t ip_size =
      frame.data()[0] >> 4 == 4 ? std::size_t{frame.data()[0] & 0x0fu} * 4 : 40;
  const std::size_t tcp_size = std::size_t{frame.data()[ip_size + 12]} / 16 * 4;
  return ip_size + tcp_size + frame.offload.gso_size <= link_.mtu;
}

bool Tunnel::send_mapped(Frame frame, NodeId owner, FlowId flow) {
  const bool ipv4 = frame.data()[0] >> 4 == 4;
  const Family family = ipv4 ? Family::kIpv4 : Family::kIpv6;
  if (!can_map(owner, family)) return drop(DropReason::kNoNode);
  if (frame.data()[ipv4 ? 8 : 7] <= 1) return drop(DropReason::kTtlExceeded);
  if (!fits_mapped(frame)) return drop(DropReason::kTooLarge);
  rewrite_ends(frame, mapped_ends(*self_.tunnel(family), *peer(owner)->tunnel(family), flow),
               /*hops=*/1);
  emit(std::move(frame));
  return true;
}

Tunnel::Received Tunnel::receive_mapped(Frame& frame, const IpHeader& ip, NodeId from) const {
  const auto tcp = TcpView::parse(l4_of(frame, ip));
  if (!tcp) return tcp.error();
  const FlowId flow = flow_of_ports(tcp->src_port(), tcp->dst_port());
  const auto* mapping = inbound_.find(from, flow);
  if (mapping == nullptr) return DropReason::kUnknownFlowId;
  if (mapping->tuple.local.address.family() != ip.family()) return DropReason::kBadEncapsulation;
  rewrite_ends(frame, {mapping->tuple.peer, mapping->tuple.local}, /*hops=*/0);
  return InnerPacket{from, mapping->connection, flow, std::nullopt};
}

// ---- format B ----

std::optional<Family> Tunnel::outer_family(const NodeInfo& to, Family preferred) const {
  const Family other = preferred == Family::kIpv4 ? Family::kIpv6 : Family::kIpv4;
  for (const Family family : {preferred, other}) {
    if (self_.tunnel(family) && to.tunnel(family)) return family;
  }
  return std::nullopt;
}

// One source port for each flow, so that the underlay keeps its packets in order.
std::uint16_t Tunnel::entropy_port(const IpHeader& inner, ByteView packet) const {
  std::array<std::uint8_t, 36> flow{};
  const ByteView src = inner.src.bytes();
  const ByteView dst = inner.dst.bytes();
  auto* end = std::copy(src.begin(), src.end(), flow.data());
  end = std::copy(dst.begin(), dst.end(), end);
  const bool has_ports = inner.protocol == kProtocolTcp || inner.protocol == kProtocolUdp;
  if (has_ports && inner.total_size >= inner.header_size + 4u)
    end = std::copy_n(&packet[inner.header_size], 4, end);
  const auto size = static_cast<std::size_t>(end - flow.data());
  return static_cast<std::uint16_t>(kEntropyPortFirst |
                                    (siphash(key_, {flow.data(), size}) & kEntropyMask));
}

bool Tunnel::send_gue(Frame frame, NodeId to, const GueHeader& header) {
  const NodeInfo* const receiver = peer(to);
  if (receiver == nullptr) return drop(DropReason::kNoNode);
  if (header.hops > limits::kForwardHopsMax) return drop(DropReason::kEncapsulationLoop);
  GueHeader sent = header;
  bool ok = true;
  // Packets with complete checksums: a device would complete the outer one only.
  const auto cut = segment(std::move(frame), *pool_, [&](Frame packet) {
    ok &= send_gue_packet(std::move(packet), *receiver, sent);
  });
  return cut ? ok : drop(cut.error());
}

bool Tunnel::send_gue_packet(Frame packet, const NodeInfo& to, GueHeader& header) {
  const auto ip = parse_ip(packet.bytes());
  if (!ip) return drop(ip.error());
  const std::optional<Family> family = outer_family(to, ip->family());
  if (!family) return drop(DropReason::kNoNode);
  packet.truncate(ip->total_size);

  header.inner = ip->family();
  scratch_.clear();
  header.serialize(scratch_);
  const std::size_t added = outer_header_size(*family) + scratch_.size();
  if (packet.size() + added > link_.mtu) return drop(DropReason::kTooLarge);
  if (packet.headroom() < added) packet = pool_->copy_of(packet.bytes());

  const std::uint16_t port = entropy_port(*ip, packet.bytes());
  std::copy(scratch_.begin(), scratch_.end(), packet.prepend(scratch_.size()).begin());
  OuterHeader outer{{*self_.tunnel(*family), port}, {*to.tunnel(*family), gue_port_}};
  outer.traffic_class = ip->traffic_class & kDscpMask;
  // The inner packet has a checksum of its own; RFC 8200 8.1 wants one over IPv6 all the same.
  outer.checksum = *family == Family::kIpv4 ? OuterHeader::Checksum::kNone
                   : link_.checksum_offload ? OuterHeader::Checksum::kPartial
                                            : OuterHeader::Checksum::kFull;
  packet.offload = {};
  prepend_outer_header(packet, outer);
  emit(std::move(packet));
  return true;
}

Tunnel::Received Tunnel::receive_gue(Frame& frame, const IpHeader& ip, const UdpView& udp,
                                     NodeId from) const {
  const auto header = GueHeader::parse(udp.payload());
  if (!header) return header.error();
  if (header->hops > limits::kForwardHopsMax) return DropReason::kEncapsulationLoop;
  // We send no trains of these; one cannot come out as one packet.
  if (frame.offload.gso != Offload::Gso::kNone) return DropReason::kBadEncapsulation;
  const ByteView packet = udp.payload().subspan(header->size());
  const auto inner = parse_ip(packet);
  if (!inner || inner->family() != header->inner || is_tunnel_address(inner->dst))
    return DropReason::kBadEncapsulation;
  frame.trim_front(ip.header_size + UdpView::kHeaderSize + header->size());
  frame.truncate(inner->total_size);
  frame.offload = {};  // whatever vouched for the outer packet did not look at the inner one
  return InnerPacket{from, header->tenure.connection, header->flow, *header};
}

// ---- datagrams of the channel ----

void Tunnel::send(const Endpoint& to, ByteView payload, std::size_t segment_size) {
  const std::optional<IpAddress>& from = self_.tunnel(to.address.family());
  if (!from || !peer_at(to.address)) {
    drop(DropReason::kNoNode);
    return;
  }
  segment_size = std::max<std::size_t>(segment_size, 1);
  if (segment_size + outer_header_size(to.address.family()) > link_.mtu) {
    drop(DropReason::kTooLarge);
    return;
  }
  // Linux cuts a UDP train into at most 64 datagrams (UDP_MAX_SEGMENTS), and its length is 16 bits.
  constexpr std::size_t kTrainMax = 64;
  const std::size_t room = 65535 - outer_header_size(to.address.family());
  const std::size_t in_frame =
      link_.udp_gso ? std::clamp<std::size_t>(room / segment_size, 1, kTrainMax) : 1;
  do {
    const std::size_t n = std::min(payload.size(), in_frame * segment_size);
    send_datagrams({*from, channel_port_}, to, payload.first(n), segment_size);
    payload = payload.subspan(n);
  } while (!payload.empty());
}

// As one frame.
void Tunnel::send_datagrams(const Endpoint& from, const Endpoint& to, ByteView payload,
                            std::size_t segment_size) {
  Frame frame = pool_->copy_of(payload);
  if (payload.size() > segment_size)
    frame.offload = {Offload::Gso::kUdp, static_cast<std::uint16_t>(segment_size)};
  OuterHeader outer{from, to};
  // A train's checksums are filled in by whoever cuts it, so its field is always partial.
  const bool partial = link_.checksum_offload || frame.offload.gso == Offload::Gso::kUdp;
  outer.checksum = partial ? OuterHeader::Checksum::kPartial : OuterHeader::Checksum::kFull;
  prepend_outer_header(frame, outer);
  emit(std::move(frame));
}

// ---- receiving ----

Tunnel::Received Tunnel::receive_udp(Frame& frame, const IpHeader& ip, NodeId from) const {
  const auto udp = UdpView::parse(l4_of(frame, ip));
  if (!udp) return udp.error();
  if (!l4_checksum_ok(ip, frame)) return DropReason::kBadChecksum;
  if (udp->dst_port() == gue_port_) return receive_gue(frame, ip, *udp, from);
  if (udp->dst_port() != channel_port_) return DropReason::kUnsupportedProtocol;
  const bool train = frame.offload.gso == Offload::Gso::kUdp && frame.offload.gso_size > 0;
  const std::size_t size = train ? frame.offload.gso_size : udp->payload().size();
  return ChannelDatagram{{ip.src, udp->src_port()}, udp->payload(), std::max<std::size_t>(size, 1)};
}

Tunnel::Received Tunnel::receive(Frame& frame, Instant now) {
  now_ = std::max(now_, now);
  const auto ip = parse_ip(frame.bytes());
  if (!ip) return ip.error();
  if (!is_own_address(ip->dst)) return DropReason::kNotOurAddress;
  const std::optional<NodeId> from = peer_at(ip->src);
  if (!from) return DropReason::kUnknownTunnelPeer;
  if (ip->is_fragment) return DropReason::kIpFragment;
  if (ip->protocol == kProtocolTcp) return receive_mapped(frame, *ip, *from);
  if (ip->protocol == kProtocolUdp) return receive_udp(frame, *ip, *from);
  return DropReason::kUnsupportedProtocol;
}

// ---- the encapsulation mapping table ----

Result<void> Tunnel::map_inbound(NodeId from, Boot boot, FlowId flow, const FourTuple& tuple,
                                 const ConnectionId& connection) {
  return inbound_.map(from, boot, flow, {tuple, connection}, now_);
}

void Tunnel::unmap_inbound(const ConnectionId& connection) {
  inbound_.unmap(connection, now_);
}

void Tunnel::peer_booted(NodeId peer, Boot boot) {
  inbound_.set_boot(peer, boot);
}

}  // namespace migd
