#include "forwarder/forwarder.h"

#include "base/limits.h"
#include "base/quoted_segment.h"
#include "forwarder/order_mark.h"
#include "forwarder/rendezvous.h"

namespace migd {
namespace {

SipKey random_key(Rng& rng) {
  SipKey key;
  rng.fill(key);
  return key;
}

// Of a packet to the owner.
GueHeader header_of(const Mapping& mapping) {
  GueHeader header;
  header.tenure = mapping.tenure();
  header.flow = mapping.flow;
  return header;
}

MappingRequest half_open_request(const FourTuple& tuple, const Mapping& mapped) {
  return {tuple, mapped.tenure(), mapped.owner, mapped.flow, NodeId{}, /*half_open=*/true};
}

}  // namespace

Forwarder::Forwarder(const NodeInfo& self, const std::vector<NodeInfo>& peers, Tunnel& tunnel,
                     const NodeHealth& health, MessageBus& bus, DropCounters& drops, Rng& rng,
                     Instant now, const MappingTableOptions& options)
    : self_(self.id),
      roles_(self.roles),
      tunnel_(tunnel),
      health_(health),
      bus_(bus),
      drops_(drops),
      mappings_(options, random_key(rng)),
      now_(now) {
  for (const NodeInfo& peer : peers) {
    if (peer.roles.classifier) classifiers_.push_back(peer.id);
  }
  subscribe(bus);
}

void Forwarder::subscribe(MessageBus& bus) {
  bus.subscribe<MappingRequest>([this](const MappingRequest& m) { on_mapping_request(m); });
  bus.subscribe<MappingRemoveRequest>(
      [this](const MappingRemoveRequest& m) { mappings_.remove(m.tuple, m.tenure); });
  bus.subscribe<PeerUp>([this](const PeerUp& m) { on_peer_up(m); });
}

void Forwarder::on_mapping_request(const MappingRequest& message) {
  const Mapping* const mapped = mappings_.peek(message.tuple);
  const std::optional<Mapping> before = mapped == nullptr ? std::nullopt : std::optional(*mapped);
  const Result<NodeId> previous = mappings_.install(message, now_);
  if (!previous) {
    bus_.post(MappingRefused{message, before->tenure(), before->owner});
    return;
  }
  if (before && before->half_open && before->tenure().connection != message.tenure.connection) {
    bus_.post(MappingRefused{half_open_request(message.tuple, *before), message.tenure,
                             message.owner});  // it was granted, and is not any more
  }
  const Moved flow{message, before};
  const bool quiet = is_quiet(flow);
  if (!quiet && leaves_a_way(flow)) unmarked_.push_back(flow);
  bus_.post(MappingInstalled{message.tuple, message.tenure, message.owner, *previous, message.flow,
                             quiet});
}

// A way that its packets took to another node until now. A repeated request leaves none.
bool Forwarder::leaves_a_way(const Moved& flow) const {
  const auto& [request, before] = flow;
  return request.from != NodeId{} && request.from != self_ && request.from != request.owner &&
         (!before || before->owner == request.from);
}

bool Forwarder::is_quiet(const Moved& flow) const {
  return leaves_a_way(flow) && flow.before && now_ - flow.before->last_used >= kQuiet;
}

void Forwarder::send_order_marks() {
  for (const Moved& flow : unmarked_)
    send_order_mark(flow);
  unmarked_.clear();
}

void Forwarder::send_order_mark(const Moved& flow) {
  const auto& [request, before] = flow;
  Frame mark = make_order_mark(request.tuple, request.tenure.epoch, tunnel_.pool());
  if (before) {
    route_mapped(mark, *parse_ip(mark.bytes()), *before, /*may_rewrite=*/true);
  } else {
    tunnel_.send_gue(std::move(mark), request.from, GueHeader{});
  }
}

void Forwarder::on_peer_up(const PeerUp& message) {
  const auto [known, is_new] = boots_.try_emplace(message.peer, message.boot);
  if (is_new || known->second == message.boot) return;
  known->second = message.boot;
  mappings_.remove_owner(message.peer);
}

void Forwarder::on_deadline(Instant now) {
  now_ = now;
  mappings_.on_deadline(now);
}

Forwarder::Route Forwarder::drop(DropReason reason) {
  drops_.count(reason);
  return Route::kDropped;
}

Forwarder::Route Forwarder::route(Frame& frame, const IpHeader& ip, Instant now) {
  now_ = now;
  if (!roles_.forwarder) return Route::kLocal;
  if (ip.is_fragment) return drop(DropReason::kIpFragment);
  const ByteView l4 = frame.bytes().subspan(ip.header_size, ip.total_size - ip.header_size);
  if (ip.protocol == icmp_of(ip.family())) return route_icmp(frame, ip, now);
  if (ip.protocol != kProtocolTcp) return drop(DropReason::kUnsupportedProtocol);
  const auto tcp = TcpView::parse(l4);
  return tcp ? route(frame, ip, *tcp, now) : drop(tcp.error());
}

Forwarder::Route Forwarder::route(Frame& frame, const IpHeader& ip, const TcpView& tcp,
                                  Instant now) {
  now_ = now;
  if (!roles_.forwarder) return Route::kLocal;
  const FourTuple tuple{{ip.dst, tcp.dst_port()}, {ip.src, tcp.src_port()}};
  Mapping* mapping = mappings_.find(tuple, now);
  const bool opens = tcp.has(tcp_flag::kSyn) && !tcp.has(tcp_flag::kAck);
  if (opens && mapping != nullptr && mapping->half_open && is_lost(mapping->owner)) {
    mappings_.remove(tuple, mapping->tenure());  // the client may begin anew at another one
    mapping = nullptr;
  }
  if (mapping == nullptr) return route_unmapped(frame, tuple, opens);
  mapping->syn_seen |= opens;
  return route_mapped(frame, ip, *mapping, /*may_rewrite=*/!opens);
}

void Forwarder::look_ahead(std::span<const Frame> frames) const {
  std::vector<FourTuple> tuples;
  tuples.reserve(frames.size());
  for (const Frame& frame : frames) {
    const auto ip = parse_ip(frame.bytes());
    if (!ip || ip->is_fragment || ip->protocol != kProtocolTcp) continue;
    const auto tcp = TcpView::parse(frame.bytes().subspan(ip->header_size));
    if (tcp) tuples.push_back({{ip->dst, tcp->dst_port()}, {ip->src, tcp->src_port()}});
  }
  mappings_.fetch(tuples);
}

bool Forwarder::is_lost(NodeId owner) const {
  return owner != self_ && !health_.up(owner);
}

Forwarder::Route Forwarder::route_mapped(Frame& frame, const IpHeader& ip, const Mapping& mapping,
                                         bool may_rewrite) {
  if (mapping.owner == self_) return Route::kLocal;
  bool sent;
  if (may_rewrite && mapping.flow != FlowId{} && tunnel_.can_map(mapping.owner, ip.family())) {
    sent = tunnel_.send_mapped(std::move(frame), mapping.owner, mapping.flow);
  } else {
    sent = tunnel_.send_gue(std::move(frame), mapping.owner, header_of(mapping));
  }
  return sent ? Route::kSent : Route::kDropped;
}

bool Forwarder::follow(Frame& frame, const FourTuple& tuple, const Tenure& tenure, NodeId by,
                       int hops) {
  const Mapping* const mapped = mappings_.peek(tuple);
  if (mapped == nullptr || mapped->owner == self_) return false;
  if (mapped->owner == by && mapped->tenure() == tenure) {
    mappings_.remove(tuple, tenure);
    return false;
  }
  if (hops >= limits::kForwardHopsMax) {
    drops_.count(DropReason::kEncapsulationLoop);
    return true;
  }
  GueHeader header = header_of(*mapped);
  header.hops = static_cast<std::uint8_t>(hops + 1);
  tunnel_.send_gue(std::move(frame), mapped->owner, header);
  return true;
}

bool Forwarder::classify_again(Frame frame, int hops) {
  const auto ip = parse_ip(frame.bytes());
  const auto tcp = ip ? TcpView::parse(frame.bytes().subspan(ip->header_size))
                      : tl::expected<TcpView, DropReason>(tl::unexpected(ip.error()));
  if (!tcp) return drop(tcp.error()) == Route::kSent;
  const FourTuple tuple{{ip->dst, tcp->dst_port()}, {ip->src, tcp->src_port()}};
  // A classifier whose own stack has not taken it has no such service.
  if (roles_.classifier) return drop(DropReason::kNoService) == Route::kSent;
  return route_unmapped(frame, tuple, /*opens=*/true, hops) == Route::kSent;
}

Forwarder::Route Forwarder::route_unmapped(Frame& frame, const FourTuple& tuple, bool opens,
                                           int hops) {
  if (roles_.classifier) return Route::kLocal;
  NodeId first, second;  // by preference; a draining one only keeps what it has
  for (const NodeId node : rendezvous_order(kRendezvousKey, tuple, classifiers_)) {
    if (first == NodeId{} && (opens ? health_.ready(node) : health_.up(node))) {
      first = node;
    } else if (second == NodeId{} && health_.up(node)) {
      second = node;
    }
  }
  if (first == NodeId{}) std::swap(first, second);
  if (first == NodeId{}) return drop(DropReason::kNoNode);
  GueHeader header;
  header.hops = static_cast<std::uint8_t>(hops + 1);
  header.next_hop = second;
  return tunnel_.send_gue(std::move(frame), first, header) ? Route::kSent : Route::kDropped;
}

Forwarder::Route Forwarder::route_icmp(Frame& frame, const IpHeader& ip, Instant now) {
  const auto icmp =
      IcmpView::parse(frame.bytes().subspan(ip.header_size, ip.total_size - ip.header_size));
  if (!icmp) return drop(icmp.error());
  const auto quoted = quoted_segment(*icmp, ip.family());
  if (!quoted || quoted->flow.local.address != ip.dst) return drop(DropReason::kIcmpIgnored);
  Mapping* const mapping = mappings_.find(quoted->flow, now);
  return mapping == nullptr ? route_unmapped(frame, quoted->flow, /*opens=*/false)
                            : route_mapped(frame, ip, *mapping, /*may_rewrite=*/false);
}

}  // namespace migd
