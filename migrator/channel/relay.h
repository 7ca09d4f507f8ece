// Relay: messages on their way through this node, origin -> here -> destination. Fragments go on as
// they come; nothing is assembled and no body is read. The first of them to go waits until the head
// was shown to this node.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <tuple>

#include "migrator/channel/link.h"
#include "migrator/channel/verdict.h"

namespace migd::channel {

class Relay {
 public:
  Relay(const Tuning& tuning, RefusalCounters& refusals) : tuning_(tuning), refusals_(refusals) {}

  struct Taken {
    Verdict verdict;
    // Set once for each message, with its head: show it, then release() it.
    std::shared_ptr<OutMessage> to_announce;
  };
  // A fragment from its origin, for another node. `next` is our link to that node, null without
  // one.
  Taken on_fragment(const MessageFrame& frame, ByteView sealed, Link* next, Instant now);
  // The head was shown: fragments may go on. `next` is the link that the message was taken for.
  static void release(const std::shared_ptr<OutMessage>& message, Link& next);

  // The association with an origin is over: what is not whole never will be.
  void forget(NodeId origin, const std::function<Link*(NodeId)>& link_to);
  // Our link to a destination is about to end: whatever was to go there is undelivered.
  void on_link_down(NodeId destination, Link& link, std::vector<Undelivered>& undelivered);
  // Gives up what has not moved for too long.
  void expire(NodeId destination, Link& link, Instant now, std::vector<Undelivered>& undelivered);

 private:
  struct Passing {
    std::shared_ptr<OutMessage> message;
    std::set<std::uint32_t> offsets;
    std::size_t bytes = 0;
    bool has_head = false;
    Instant last{};
  };
  using Name = std::tuple<NodeId, NodeId, std::uint64_t>;  // origin, destination, number
  using Done = NumberWindow<16384>;

  Taken give_up(const Name& name, const MessageFrame& frame, Link* next, Refusal reason);
  std::optional<Refusal> cannot_take(const Passing* passing, const MessageFrame& frame,
                                     Link& next) const;
  Passing& begin(const Name& name, const MessageFrame& frame, Link& next, Instant now);
  void take(Passing& passing, const MessageFrame& frame, ByteView sealed, Link& next);
  std::map<Name, Passing>::iterator erase(std::map<Name, Passing>::iterator it);

  const Tuning& tuning_;
  RefusalCounters& refusals_;
  std::map<Name, Passing> passing_;  // not yet whole
  std::map<std::pair<NodeId, NodeId>, Done> done_;
  std::map<NodeId, std::size_t> count_;  // of passing_, by origin
};

}  // namespace migd::channel
