// What lies between the nodes of the fuzzer `protocol` in place of the blob channel: messages that
// wait until somebody says which of them arrives next, and sessions that come and go. As a channel
// promises, a message is lost only with its session; that some arrive twice is the fuzzer's choice.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "migrator/channel/channel.h"
#include "migrator/wire.h"

namespace migd::fuzz {

class Fabric {
 public:
  struct Waiting {
    NodeId origin, destination;
    NodeId from, to;  // this hop
    std::uint8_t kind = 0;
    Bytes head, body;
  };

  // For NodeServices::make_channel.
  ChannelFactory factory();
  void remove(NodeId node);  // it has crashed

  bool up(NodeId a, NodeId b) const { return sessions_.count(ordered(a, b)) > 0; }
  void begin_session(NodeId a, NodeId b, Instant now);
  void end_session(NodeId a, NodeId b, Instant now);

  std::size_t waiting() const { return waiting_.size(); }
  const Waiting& message(std::size_t i) const { return waiting_[i]; }
  // Delivers the one, which stays where it is when it shall arrive `again`.
  void deliver(std::size_t i, bool again, Instant now);
  // As if `message.origin` had sent it.
  void forge(const Waiting& message, Instant now);
  Boot boot_of(NodeId node) const;
  const Bytes& latest_blob() const { return latest_blob_; }

 private:
  class End;
  using Pair = std::pair<NodeId, NodeId>;
  static Pair ordered(NodeId a, NodeId b) { return a < b ? Pair{a, b} : Pair{b, a}; }
  Result<void> send(const Waiting& message);
  void arrive(const Waiting& message, Instant now);

  std::map<NodeId, End*> ends_;  // of running nodes
  std::set<Pair> sessions_;
  std::deque<Waiting> waiting_;
  Bytes latest_blob_;
};

}  // namespace migd::fuzz
