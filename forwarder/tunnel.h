// Tunnel: both ends of the encapsulation between this node and its peers.
//
// Theory of operation
//   Every node has one tunnel address of each family that it uses; it is routed to the node's
//   device and assigned to no kernel interface. A packet counts as encapsulated only when it goes
//   from a configured peer's tunnel address to ours: the fabric between nodes is trusted not to
//   forge those. Three things travel there:
//
//     TCP                     format A (forwarder/mapped_format.h): a mapped flow's packet, named
//                             by the flow identifier that stands in its ports
//     UDP to the GUE port     format B (forwarder/gue.h): any packet, with a header of ours
//     UDP to the channel port a datagram of the blob channel, sealed, for whoever runs it
//
//   Format A is for a mapped flow, and keeps a train of segments whole. Format B adds up to
//   limits::kEncapsulationMax bytes, so a train is cut first, and what then exceeds the MTU is
//   dropped (the MSS that we announce leaves the room).
//
// Engine: no clock, no I/O. What is sent goes to `output` at once; its `now` is the latest Instant
// that receive() was told.
#pragma once

#include <tsl/robin_map.h>

#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "base/datagram.h"
#include "base/drop_reason.h"
#include "base/frame.h"
#include "base/packet.h"
#include "base/random.h"
#include "base/siphash.h"
#include "forwarder/encapsulation_mapping_table.h"
#include "forwarder/gue.h"
#include "forwarder/options.h"
#include "stack/link.h"

namespace migd {

class Tunnel : public DatagramSender {
 public:
  // `output` and `drops` outlive the tunnel. `rng` is used here only.
  Tunnel(const NodeInfo& self, const std::vector<NodeInfo>& peers, std::uint16_t gue_port,
         std::uint16_t channel_port, const LinkCapabilities& link, std::shared_ptr<FramePool> pool,
         FrameSink& output, DropCounters& drops, Rng& rng);

  bool is_own_address(const IpAddress& address) const;

  // ---- sending; false: dropped and counted ----

  FramePool& pool() const { return *pool_; }
  // Both ends have a tunnel address of that family.
  bool can_map(NodeId owner, Family family) const;
  // Format A. `frame` is a client's TCP packet, parsed before, and no fragment.
  bool send_mapped(Frame frame, NodeId owner, FlowId flow);
  // Format B. `frame` is a whole IP packet, with or without offloads. header.hops is sent as it
  // is, header.inner is set here.
  bool send_gue(Frame frame, NodeId to, const GueHeader& header);
  // DatagramSender: the blob channel's datagrams, from our channel port to `to`, the channel port
  // of a peer's tunnel address.
  void send(const Endpoint& to, ByteView payload, std::size_t segment_size) override;

  // ---- receiving: a packet to our tunnel address ----

  // `frame` is now the inner packet, as the client sent it.
  struct InnerPacket {
    NodeId from;
    ConnectionId connection;       // as the sender named it; GUE: may be empty
    FlowId flow;                   // likewise
    std::optional<GueHeader> gue;  // unset: it came mapped
  };
  // One datagram or a train of them, in `frame`, which must stay while this is used.
  struct ChannelDatagram {
    Endpoint from;
    ByteView payload;
    std::size_t segment_size = 0;  // at least 1

    template <typename Visit>
    void for_each(Visit&& visit) const {
      if (payload.empty()) visit(payload);
      for (ByteView rest = payload; !rest.empty();) {
        const std::size_t n = rest.size() < segment_size ? rest.size() : segment_size;
        visit(rest.first(n));
        rest = rest.subspan(n);
      }
    }
  };
  // A DropReason says why the packet is neither; it is not counted yet, and `frame` is as it was:
  // a packet with an unknown flow identifier may become known in a moment.
  using Received = std::variant<InnerPacket, ChannelDatagram, DropReason>;
  Received receive(Frame& frame, Instant now);

  // ---- the encapsulation mapping table (forwarder/encapsulation_mapping_table.h) ----
  Result<void> map_inbound(NodeId from, Boot boot, FlowId flow, const FourTuple& tuple,
                           const ConnectionId& connection);
  // The connection has ended or left. Its identifiers resolve for two MSL more.
  void unmap_inbound(const ConnectionId& connection);
  // `peer` runs under `boot` now: what its earlier boots mapped is dropped.
  void peer_booted(NodeId peer, Boot boot);
  std::size_t inbound_mappings() const { return inbound_.size(); }
  Instant next_deadline() const { return inbound_.next_deadline(); }
  void on_deadline(Instant now) { inbound_.on_deadline(now); }

 private:
  struct AddressHash {
    std::size_t operator()(const IpAddress& address) const;
  };

  const NodeInfo* peer(NodeId id) const;
  std::optional<NodeId> peer_at(const IpAddress& address) const;
  bool is_tunnel_address(const IpAddress& address) const;
  bool drop(DropReason reason);  // counts, returns false
  void emit(Frame frame) { output_.on_frame(std::move(frame), now_); }

  bool fits_mapped(const Frame& frame) const;
  bool send_gue_packet(Frame packet, const NodeInfo& to, GueHeader& header);
  std::optional<Family> outer_family(const NodeInfo& to, Family preferred) const;
  std::uint16_t entropy_port(const IpHeader& inner, ByteView packet) const;
  void send_datagrams(const Endpoint& from, const Endpoint& to, ByteView payload,
                      std::size_t segment_size);

  Received receive_mapped(Frame& frame, const IpHeader& ip, NodeId from) const;
  Received receive_udp(Frame& frame, const IpHeader& ip, NodeId from) const;
  Received receive_gue(Frame& frame, const IpHeader& ip, const UdpView& udp, NodeId from) const;

  NodeInfo self_;
  std::vector<NodeInfo> peers_;
  tsl::robin_map<std::uint16_t, std::size_t> peer_by_id_;
  tsl::robin_map<IpAddress, NodeId, AddressHash> peer_by_address_;
  std::uint16_t gue_port_;
  std::uint16_t channel_port_;
  LinkCapabilities link_;
  std::shared_ptr<FramePool> pool_;
  FrameSink& output_;
  DropCounters& drops_;
  SipKey key_;
  EncapsulationMappingTable inbound_;
  Bytes scratch_;
  Instant now_{};
};

}  // namespace migd
