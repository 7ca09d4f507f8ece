// Forwarder: decides where a packet for a VIP goes.
//
// Theory of operation
//   mapped to another node     format A to it, under the flow identifier (format B for what format
//                              A cannot carry: a SYN, which may begin another connection and so
//                              names the one that is mapped; another address family)
//   mapped to this node        local
//   not mapped                 local when this node is a classifier; else format B to a classifier
//                              by rendezvous hashing, with the second choice as the next hop
//   an ICMP error              like the flow that it quotes, by format B
//   anything else              dropped
//
//   "Local" means: this node's intermediate driver, which knows about gates and tombstones.
//   Mappings come from the bus (MappingRequest, MappingRemoveRequest), and each request is answered
//   there (MappingInstalled, MappingRefused). Behind the last packet of a flow that moves, an order
//   mark goes down the way that it leaves, at the end of the turn; unless the flow is quiet, and
//   the last packet left so long ago that it has arrived. When a peer comes up under another boot
//   its mappings are dropped, since its connections are gone.
//
// A node that is no forwarder has one too; everything is local to it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/bus.h"
#include "base/drop_reason.h"
#include "base/frame.h"
#include "base/packet.h"
#include "base/random.h"
#include "forwarder/health.h"
#include "forwarder/mapping_table.h"
#include "forwarder/options.h"
#include "forwarder/tunnel.h"

namespace migd {

class Forwarder {
 public:
  static constexpr Duration kQuiet = 1s;  // no queue on the way to a node holds a packet so long

  // The references outlive the forwarder; the bus must not dispatch any more when it is gone.
  Forwarder(const NodeInfo& self, const std::vector<NodeInfo>& peers, Tunnel& tunnel,
            const NodeHealth& health, MessageBus& bus, DropCounters& drops, Rng& rng, Instant now,
            const MappingTableOptions& options = {});

  enum class Route {
    kSent,     // tunnelled
    kLocal,    // `frame` is left with the caller, for this node
    kDropped,  // and counted
  };
  // A packet to a VIP; `ip` is its header, parsed.
  Route route(Frame& frame, const IpHeader& ip, Instant now);
  Route route(Frame& frame, const IpHeader& ip, const TcpView& tcp, Instant now);
  // Worth it when there are many mappings: fetches those of packets that are about to come.
  bool looks_ahead() const { return mappings_.size() >= MappingTable::kMany; }
  void look_ahead(std::span<const Frame> frames) const;
  // A SYN that the owner of the mapping has given back: its connection is over, another begins.
  // False when it was dropped, and counted.
  bool classify_again(Frame frame, int hops);
  // A SYN that was sent to `by`, who has no connection of that tenure. If nothing newer is mapped,
  // the mapping is over: false, and the frame is left with the caller. Else the SYN may be one that
  // was repeated while its connection moved: true, it goes to the owner, or was dropped, counted.
  bool follow(Frame& frame, const FourTuple& tuple, const Tenure& tenure, NodeId by, int hops);

  const MappingTable& mappings() const { return mappings_; }

  void set_time(Instant now) { now_ = now; }
  // After the migrator's flush: a state that is passed on goes ahead of the marks.
  void send_order_marks();

  Instant next_deadline() const { return mappings_.next_deadline(); }
  void on_deadline(Instant now);

 private:
  struct Moved {
    MappingRequest request;
    std::optional<Mapping> before;  // what was replaced; none: it went by format B to a classifier
  };

  void subscribe(MessageBus& bus);
  void on_mapping_request(const MappingRequest& message);
  bool leaves_a_way(const Moved& flow) const;
  bool is_quiet(const Moved& flow) const;
  void send_order_mark(const Moved& flow);
  void on_peer_up(const PeerUp& message);
  bool is_lost(NodeId owner) const;
  Route route_mapped(Frame& frame, const IpHeader& ip, const Mapping& mapping, bool may_rewrite);
  // `opens`: it is a SYN.
  Route route_unmapped(Frame& frame, const FourTuple& tuple, bool opens, int hops = 0);
  Route route_icmp(Frame& frame, const IpHeader& ip, Instant now);
  Route drop(DropReason reason);

  NodeId self_;
  Roles roles_;
  std::vector<NodeId> classifiers_;  // other nodes
  Tunnel& tunnel_;
  const NodeHealth& health_;
  MessageBus& bus_;
  DropCounters& drops_;
  MappingTable mappings_;
  std::vector<Moved> unmarked_;  // flows that left a way in this turn
  std::map<NodeId, Boot> boots_;
  Instant now_;  // the latest that we were told
};

}  // namespace migd
