// OperatorDesk: where people ask for migrations, at any node of the cluster.
//
// Theory of operation
//   An id may be shortened to a prefix. The desk asks every peer that is up what it knows of the
//   prefix (LOCATE), waits until all have answered or kLocatePatience is over, and takes the one
//   connection that lives somewhere. Then its owner gets the order: by the bus when that is this
//   node, else by ORDER, answered with ORDER_RESULT. An owner serialises what it is asked; an
//   answer that never comes is a deadline. A trace is asked for in the same way: TRACE, TRACED.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "migrator/environment.h"

namespace migd {

// What a connection has been through.
struct ConnectionTrace {
  Tenure tenure;
  FourTuple tuple;
  NodeId owner;
  MoveHistory history;
};

class OperatorDesk {
 public:
  static constexpr Duration kLocatePatience = 1s;
  using Done = std::function<void(Result<MigrationFinished>)>;
  using Traced = std::function<void(Result<ConnectionTrace>)>;

  OperatorDesk(MigratorEnvironment& environment, Instant now);

  // Without a target the connection stays, and is bound or unbound.
  // `done` is called exactly once: the outcome (which may be a refusal), or kNotFound,
  // kInvalidArgument (ambiguous prefix), kUnavailable, kDeadline.
  void migrate(const std::string& id_prefix, NodeId target, const MoveTerms& terms, Done done,
               Instant now);

  // The same for a look at its history.
  void trace(const std::string& id_prefix, Duration timeout, Traced done, Instant now);

  void on_trace(NodeId from, const wire::Trace& message, Instant now);
  void on_traced(NodeId from, const wire::Traced& message, ByteView history, Instant now);
  void on_locate(NodeId from, const wire::Locate& message, Instant now);
  void on_located(NodeId from, const wire::Located& message, Instant now);
  void on_order(NodeId from, const wire::Order& message, Instant now);
  void on_order_result(NodeId from, const wire::OrderResult& message, Instant now);
  void on_finished(const MigrationFinished& finished, Instant now);
  void on_session_down(NodeId peer, Instant now);

  Instant next_deadline() const { return wheel_.next_deadline(); }
  void on_deadline(Instant now);

 private:
  struct Match {
    Tenure tenure;
    NodeId owner;
  };
  struct Case : TimerWheel::Node {
    std::uint64_t number = 0;
    std::string prefix;
    NodeId target;  // 0: it stays
    MoveTerms terms;
    Instant deadline;
    Done done;  // one of the two
    Traced traced;
    std::vector<NodeId> unanswered;  // while locating
    std::vector<Match> matches;
    bool ordered = false;
    NodeId owner;  // once ordered
  };
  // An order of another node that is under way here.
  struct Errand {
    NodeId from;
    std::uint64_t request = 0;
  };

  // The whole id of a connection that this node owns.
  bool lives_here(const std::string& text) const;
  std::vector<wire::Located::Match> local_matches(const std::string& prefix) const;
  void add_match(Case& c, const Tenure& tenure, NodeId owner);
  void answered(Case& c, NodeId peer, Instant now);
  void give_order(Case& c, Instant now);
  void open(std::unique_ptr<Case> opened, Instant now);
  void ask_for_trace(Case& c, const ConnectionId& id, Instant now);
  std::optional<ConnectionTrace> local_trace(const ConnectionId& id, Instant now) const;
  void close(std::uint64_t number, Result<MigrationFinished> result);

  MigratorEnvironment& env_;
  std::uint64_t next_number_ = 1;
  std::map<std::uint64_t, std::unique_ptr<Case>> cases_;
  std::map<std::uint64_t, Errand> errands_;
  TimerWheel wheel_;
};

}  // namespace migd
