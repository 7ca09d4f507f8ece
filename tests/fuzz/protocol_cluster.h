// Three shipped nodes with an echo service, two clients, and a fabric between the nodes on which
// the input decides what happens next. As long as everybody keeps to the protocol: a connection has
// at most one owner, nobody sends under an epoch that is over, the clients see no reset and nothing
// that goes back (tests/support/segment.h), and in the end every connection lives somewhere.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "app/files/memory_file_store.h"
#include "base/log.h"
#include "cli/node.h"
#include "tests/fuzz/fabric.h"
#include "tests/fuzz/input.h"
#include "tests/support/segment.h"
#include "tests/support/sim_loop.h"
#include "tests/support/sim_rng.h"

namespace migd::fuzz {

class ProtocolCluster {
 public:
  ProtocolCluster();
  ~ProtocolCluster();

  // The first client's connection is on its way, `messages` of its migration have arrived.
  void prelude(std::uint8_t way, std::uint8_t messages);
  void step(Input& in);
  // The faults end, time passes: what must have become of the connections.
  void finish();

 private:
  struct Machine;
  struct Client;
  struct Packet {
    IpAddress to;
    Bytes bytes;
  };

  static constexpr std::uint16_t kNodes = 3;
  static constexpr std::size_t kClients = 2;

  NodeOptions options_of(NodeId node) const;
  void start(NodeId node);
  void crash(NodeId node);
  Machine& machine(NodeId node) { return *machines_[node.value - 1u]; }
  NodeId pick_node(Input& in) { return NodeId{static_cast<std::uint16_t>(1 + in.below(kNodes))}; }
  Instant now() const { return world_.now(); }

  void on_packet(NodeId from, ByteView bytes);
  void carry(std::size_t i, bool keep);
  void carry_all();
  bool is_client(const IpAddress& address) const;
  std::size_t pick_packet(Input& in) const;
  void deliver_messages(std::size_t most);
  void settle();
  void pass(Duration time);
  void migrate(NodeId at, std::size_t client, NodeId target);
  void talk(Client& client, Input& in);
  void forge(Input& in);
  std::optional<wire::Message> forged(Input& in, std::uint8_t kind);
  void sessions(Input& in);
  void check();
  ConnectionId id_of(std::size_t client) const;

  sim::SimLoop world_;
  Fabric fabric_;
  MemoryFileStore files_;
  std::array<std::unique_ptr<Machine>, kNodes> machines_;
  std::array<std::unique_ptr<Client>, kClients> clients_;
  std::deque<Packet> packets_;
  std::map<ConnectionId, Epoch> highest_;  // under which anybody has sent
  bool honest_ = true;                     // nothing was forged
  bool crashed_ = false;                   // a node, and maybe a connection with it
};

}  // namespace migd::fuzz
