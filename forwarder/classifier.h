// Classifier: has the connections of one service whose owner is not chosen yet.
//
// Theory of operation
//   It accepts a connection, looks at what the client has sent without consuming any of it (so that
//   the request travels unread), and decides: by the first rule that matches, or by the default
//   rule. The default rule also takes what is no request in time; the rule's name then says why:
//   "default (timeout)", "default (malformed)", "default (too_large)", "default (http2)",
//   "default (peer_closed)".
//
//     reading --> decided --> placing: posts ConnectionClassified; whoever places connections binds
//                               ^ |    it here, or moves it
//                               | v
//                              waiting: it was not taken; the pool's next ready node at once, the
//                                       same nodes again after 100 ms, doubling up to 1 s
//
//   on = "syn"   decides by the default rule as soon as the SYN is answered. To another node the
//                connection goes in SYN_RCVD, unless many are half-open (kHalfOpenMax: a flood of
//                SYNs must not become one of migrations). What stays here, or was not taken, waits
//                for the handshake, as long as that may take: while nobody could be reached the
//                client may have begun anew at another classifier.
//   on = "call"  decides nothing: within placement_timeout somebody binds or moves it.
//
//   It stays the connection's handler until another one is bound, or the connection is gone; after
//   placement_timeout without a taker the connection is aborted.
//
// Engine. Neither handlers nor the bus know the time, so what they begin gets its deadline at the
// next on_deadline(); next_deadline() asks for that one to come at once. A composition root that
// calls on_deadline() after each batch saves the timer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bus.h"
#include "base/timer_wheel.h"
#include "forwarder/health.h"
#include "forwarder/http_request_parser.h"
#include "forwarder/node_selection.h"
#include "forwarder/options.h"
#include "stack/connection.h"

namespace migd {

class Classifier : public AcceptHandler, public ConnectionHandler {
 public:
  static constexpr Duration kRetryFirst = 100ms;
  static constexpr Duration kRetryMax = 1s;
  static constexpr std::size_t kHalfOpenMax = 64;  // at once, of those that are placed half-open

  // `health` and `bus` outlive it; the bus must not dispatch any more when it is gone.
  Classifier(ServiceOptions service, NodeId self, const NodeHealth& health, MessageBus& bus,
             Instant now);
  ~Classifier() override;

  void on_syn_answered(Connection& connection) override;
  void on_established(Connection& connection) override;

  void on_readable(Connection& connection) override;
  void on_writable(Connection& /*connection*/) override {}
  void on_peer_closed(Connection& connection) override;
  void on_closed(Connection& connection, CloseReason reason) override;

  Instant next_deadline() const;
  void on_deadline(Instant now);

  std::size_t undecided() const { return pending_.size(); }  // or decided, and not placed yet

 private:
  struct Decision {
    std::string rule;
    RuleTarget target;
    std::string application;
  };
  struct Pending : TimerWheel::Node {
    explicit Pending(Connection& c) : connection(&c) {}
    Connection* connection;                     // alive: on_closed() or another handler ends this
    std::unique_ptr<HttpRequestParser> parser;  // while reading
    std::optional<Decision> decision;           // set: decided
    bool half_open = false;                     // in SYN_RCVD
    bool refused = false;                       // by anybody
    std::optional<NodeId> kept_for;             // offered to it after the handshake
    bool offered = false;       // ConnectionClassified was posted and is not answered
    bool overdue = false;       // placement_timeout has passed while it was offered
    std::vector<NodeId> tried;  // of the pool, in this round
    Duration retry_after = kRetryFirst;
    std::optional<Instant> place_by;
    std::optional<Instant> retry_at;  // set: waiting
    bool wants_retry = false;         // waiting, and retry_at is not set yet
    bool unscheduled = false;         // is in unscheduled_
  };

  Pending* find(const ConnectionId& connection);
  Pending& begin(Connection& connection);
  void forget(const ConnectionId& connection);
  void examine(Pending& pending);
  void read(Pending& pending);
  void decide(Pending& pending);
  void decide_default(Pending& pending, std::string_view cause);
  void offer(Pending& pending);
  void post(Pending& pending, NodeId target);
  std::optional<NodeId> next_target(Pending& pending);
  const Pool* pool_of(const RuleTarget& target) const;
  void wait_and_retry(Pending& pending);
  void give_up(Pending& pending);
  void on_not_taken(const MigrationFinished& message);

  void schedule_later(Pending& pending);
  void schedule(Pending& pending, Instant now);
  void expire(Pending& pending, Instant now);

  ServiceOptions service_;
  NodeId self_;
  const NodeHealth& health_;
  MessageBus& bus_;
  RoundRobin in_turn_;
  LeastLoaded least_loaded_;
  std::size_t half_open_ = 0;  // of pending_
  std::unordered_map<ConnectionId, std::unique_ptr<Pending>> pending_;
  std::vector<ConnectionId> unscheduled_;  // await a deadline, or are gone
  Instant latest_;                         // that on_deadline() was told
  TimerWheel wheel_;
};

}  // namespace migd
