// Checkers watch a run from outside, segment by segment and message by message, and say what breaks
// an invariant of the design. They share no code with the daemon. A violation is a value: the test
// decides what to do with it.
//
//   invariant  checkers
//   1          OneOwner, LateAnswers
//   2          SequenceChecker; and each run's streams are compared with those that they must be
//   3          TimestampChecker, WindowChecker, AckChecker, SackChecker, ResetChecker, CleanPath
//   4          Resumption, Survival
//   5          SilentSource, OneOwner, Stragglers
//   6          ResetChecker
//   7          Memory, Stragglers; and tests/sim/hostile_test.cc
//   8          Survival
//
// Segments are those between clients and VIPs, as they are on the wire outside of any tunnel.
// "Sent" is the order in which the world sent them, before any fault of the net, so the rules that
// a single owner keeps (nothing goes back) must hold in it exactly, on any path.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/check.h"
#include "base/messages.h"
#include "migrator/wire.h"
#include "tests/sim/net.h"
#include "tests/sim/segment.h"

namespace migd::sim {

struct Violation {
  std::string checker;
  Instant at;  // world time
  std::string what;
  std::string to_string() const;
};

// One incarnation of a four-tuple: from a client's SYN on, or from the answer of a node that has
// come back, when the client never got one before. Kept by the Judge.
struct Flow {
  std::size_t number = 0;
  FourTuple tuple;
  std::uint32_t client_isn = 0;
  std::optional<std::uint32_t> server_isn;
  // Of nodes that had answered before, and since when their answer is not the latest any more.
  std::map<std::uint32_t, Instant> earlier_isns{};
  bool answered = false;                            // the client has got a SYN/ACK
  std::uint8_t client_scale = 0, server_scale = 0;  // as negotiated
  bool timestamps = false, sack = false;            // as negotiated
  std::uint16_t client_mss = 536;
  bool offers_scale = false, offers_timestamps = false, offers_sack = false;
  std::uint8_t offered_scale = 0;
};

struct SegmentSeen {
  Crossing::Point point;
  Instant at;
  bool to_client;
  PortId from, to;
  const Flow& flow;
  const Segment& segment;
};

class Checker {
 public:
  explicit Checker(std::string name) : name_(std::move(name)) {}
  virtual ~Checker() = default;
  const std::string& name() const { return name_; }

  virtual void on_segment(const SegmentSeen& /*seen*/) {}
  // A segment of no flow: no SYN of that tuple was ever sent.
  virtual void on_stray(const Crossing& /*crossing*/, bool /*to_client*/) {}
  // A SYN/ACK of who had answered before another one did.
  virtual void on_late_answer(const SegmentSeen& /*seen*/, Instant /*since*/) {}
  virtual void on_crossing(const Crossing& /*crossing*/) {}  // every packet, between nodes as well
  virtual void on_message(PortId /*node*/, Instant /*at*/, const Message& /*message*/) {}
  virtual void on_crash(PortId /*node*/, Instant /*at*/) {}
  // A message of the migration protocol has reached a node.
  virtual void on_arrival(PortId /*node*/, Instant /*at*/, wire::Kind /*kind*/, ByteView /*head*/) {
  }
  virtual void at_end(Instant /*at*/) {}

  const std::vector<Violation>& violations() const { return violations_; }

 protected:
  // Only the first few are kept: one broken rule breaks again and again.
  void report(Instant at, std::string what);

 private:
  std::string name_;
  std::vector<Violation> violations_;
};

// Hands everything to every checker.
class Judge : public NetObserver {
 public:
  explicit Judge(const SimNet& net) : net_(net) {}

  void add_vip(const Endpoint& vip) { vips_.push_back(vip); }

  template <typename C, typename... Args>
  C& add(Args&&... args) {
    auto made = std::make_unique<C>(std::forward<Args>(args)...);
    C& checker = *made;
    checkers_.push_back(std::move(made));
    return checker;
  }

  void on_crossing(const Crossing& crossing) override;
  void on_message(PortId node, Instant at, const Message& message);
  void on_crash(PortId node, Instant at);
  void on_arrival(PortId node, Instant at, wire::Kind kind, ByteView head);
  void at_end(Instant at);

  template <typename C>
  C& get() {  // that was added
    for (const auto& checker : checkers_) {
      if (auto* found = dynamic_cast<C*>(checker.get())) return *found;
    }
    check_failed("the checker is there", __FILE__, __LINE__);
  }

  std::vector<Violation> violations() const;
  const SimNet& net() const { return net_; }

 private:
  bool is_vip(const Endpoint& endpoint) const;
  Flow* flow_of(const FourTuple& tuple, const Crossing& crossing, bool to_client);
  void on_tcp(const Crossing& crossing);

  const SimNet& net_;
  std::vector<Endpoint> vips_;
  std::map<FourTuple, Flow> flows_;
  std::size_t flow_count_ = 0;
  std::vector<std::unique_ptr<Checker>> checkers_;
};

// Every checker of an invariant that holds on any path. CleanPath is added by who wants it.
void add_invariant_checkers(Judge& judge);

}  // namespace migd::sim
