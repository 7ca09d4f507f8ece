#include "forwarder/classifier.h"

#include <algorithm>
#include <array>
#include <utility>

#include "forwarder/rule_match.h"

namespace migd {

Classifier::Classifier(ServiceOptions service, NodeId self, const NodeHealth& health,
                       MessageBus& bus, Instant now)
    : service_(std::move(service)),
      self_(self),
      health_(health),
      bus_(bus),
      latest_(now),
      wheel_(now) {
  bus.subscribe<MigrationFinished>([this](const MigrationFinished& m) { on_not_taken(m); });
  bus.subscribe<ConnectionBound>([this](const ConnectionBound& m) { forget(m.connection); });
}

Classifier::~Classifier() = default;

Classifier::Pending* Classifier::find(const ConnectionId& connection) {
  const auto it = pending_.find(connection);
  return it == pending_.end() ? nullptr : it->second.get();
}

Classifier::Pending& Classifier::begin(Connection& connection) {
  connection.bind("", this);
  auto& slot = pending_[connection.id()];
  slot = std::make_unique<Pending>(connection);
  schedule_later(*slot);
  return *slot;
}

void Classifier::forget(const ConnectionId& connection) {
  const auto entry = pending_.extract(connection);
  if (!entry.empty() && entry.mapped()->half_open) --half_open_;
}

// ---- beginning, and reading ----

void Classifier::on_syn_answered(Connection& connection) {
  if (service_.on != ServiceOptions::On::kSyn || half_open_ >= kHalfOpenMax) return;
  Pending& pending = begin(connection);
  pending.half_open = true;
  ++half_open_;
  decide_default(pending, "");
}

void Classifier::on_established(Connection& connection) {
  if (Pending* known = find(connection.id())) {
    if (std::exchange(known->half_open, false)) --half_open_;
    if (const auto target = std::exchange(known->kept_for, std::nullopt)) {
      post(*known, *target);
      schedule_later(*known);
    }
    return;
  }
  Pending& pending = begin(connection);
  switch (service_.on) {
    case ServiceOptions::On::kSyn:
      decide_default(pending, "");
      return;
    case ServiceOptions::On::kCall:
      pending.decision = Decision{"call", {}, ""};  // nobody's to offer
      return;
    case ServiceOptions::On::kRequest:
      break;
  }
  switch (service_.protocol) {
    case ServiceOptions::Protocol::kHttp:
      pending.parser = std::make_unique<HttpRequestParser>(service_.classify_bytes_max);
      examine(pending);
      return;
    case ServiceOptions::Protocol::kNone:
      decide_default(pending, "");
      return;
  }
}

void Classifier::on_readable(Connection& connection) {
  if (Pending* pending = find(connection.id())) examine(*pending);
}

void Classifier::on_peer_closed(Connection& connection) {
  if (Pending* pending = find(connection.id())) examine(*pending);
}

void Classifier::on_closed(Connection& connection, CloseReason /*reason*/) {
  forget(connection.id());
}

void Classifier::examine(Pending& pending) {
  if (pending.decision) return;
  read(pending);
  if (!pending.decision && pending.connection->peer_closed()) {
    decide_default(pending, "peer_closed");
  }
}

void Classifier::read(Pending& pending) {
  std::array<std::uint8_t, 2048> buffer;
  while (!pending.decision) {
    const std::size_t n = pending.connection->peek(pending.parser->fed_bytes(), buffer);
    if (n == 0) return;
    switch (pending.parser->feed({buffer.data(), n})) {
      case HttpRequestParser::Outcome::kIncomplete:
        break;
      case HttpRequestParser::Outcome::kRequest:
        decide(pending);
        break;
      case HttpRequestParser::Outcome::kMalformed:
        decide_default(pending, "malformed");
        break;
      case HttpRequestParser::Outcome::kTooLarge:
        decide_default(pending, "too_large");
        break;
      case HttpRequestParser::Outcome::kHttp2:
        decide_default(pending, "http2");
        break;
    }
  }
}

// ---- deciding ----

void Classifier::decide(Pending& pending) {
  const HttpRequestParser& parser = *pending.parser;
  const ServiceRule* rule = first_match(
      service_.rules, RequestHead::from(parser.method(), parser.target(), parser.host()));
  if (rule == nullptr) {
    decide_default(pending, "");
    return;
  }
  pending.decision = Decision{rule->name, rule->target, rule->application};
  offer(pending);
}

void Classifier::decide_default(Pending& pending, std::string_view cause) {
  std::string name = "default";
  if (!cause.empty()) name.append(" (").append(cause).append(")");
  pending.decision =
      Decision{std::move(name), service_.default_target, service_.default_application};
  offer(pending);
}

// ---- placing ----

const Pool* Classifier::pool_of(const RuleTarget& target) const {
  const auto* named = std::get_if<PoolTarget>(&target);
  if (named == nullptr) return nullptr;
  const auto it = std::find_if(service_.pools.begin(), service_.pools.end(),
                               [&](const Pool& pool) { return pool.name == named->pool; });
  return it == service_.pools.end() ? nullptr : &*it;
}

std::optional<NodeId> Classifier::next_target(Pending& pending) {
  const RuleTarget& target = pending.decision->target;
  if (const auto* node = std::get_if<NodeTarget>(&target)) {
    // A second time only after a wait.
    return pending.tried.empty() ? std::optional(node->node) : std::nullopt;
  }
  const Pool* pool = pool_of(target);
  if (pool == nullptr) return std::nullopt;
  Selection& selection = pool->policy == Pool::Policy::kLeastLoaded
                             ? static_cast<Selection&>(least_loaded_)
                             : in_turn_;
  return selection.select(*pool, health_, pending.tried);
}

void Classifier::offer(Pending& pending) {
  pending.parser.reset();
  schedule_later(pending);
  const std::optional<NodeId> target = next_target(pending);
  if (!target) {
    wait_and_retry(pending);
    return;
  }
  pending.tried.push_back(*target);
  if (pending.half_open && (*target == self_ || pending.refused)) {
    pending.kept_for = target;
  } else {
    post(pending, *target);
  }
}

void Classifier::post(Pending& pending, NodeId target) {
  pending.offered = true;
  bus_.post(ConnectionClassified{pending.connection->reference(), pending.decision->rule, target,
                                 pending.decision->application});
}

void Classifier::wait_and_retry(Pending& pending) {
  pending.tried.clear();
  pending.wants_retry = true;
  schedule_later(pending);
}

// The source's half has thawed the connection: it is ours as before.
void Classifier::on_not_taken(const MigrationFinished& message) {
  Pending* const pending = find(message.tenure.connection);
  if (pending == nullptr || !pending->offered) return;
  if (message.outcome == MigrationOutcome::kCompleted) return;  // on_closed() comes, or came
  const bool asked_elsewhere = !pending->tried.empty() && pending->tried.back() != self_;
  if (asked_elsewhere && !pending->overdue && message.target != pending->tried.back()) {
    return;  // somebody else's; what we have asked for will have an answer of its own
  }
  pending->offered = false;
  pending->refused = true;
  if (pending->overdue) {
    give_up(*pending);
  } else {
    offer(*pending);
  }
}

void Classifier::give_up(Pending& pending) {
  Connection& connection = *pending.connection;
  if (connection.frozen()) {  // somebody else moves it: what comes of that?
    pending.offered = true;
    return;
  }
  const ConnectionId id = connection.id();
  if (connection.handler() == this) connection.abort();  // on_closed() may come from inside
  forget(id);
}

// ---- time ----

void Classifier::schedule_later(Pending& pending) {
  if (std::exchange(pending.unscheduled, true)) return;
  unscheduled_.push_back(pending.connection->id());
}

Instant Classifier::next_deadline() const {
  return unscheduled_.empty() ? wheel_.next_deadline() : latest_;
}

void Classifier::schedule(Pending& pending, Instant now) {
  pending.unscheduled = false;
  if (pending.kept_for) {  // the handshake takes as long as the stack lets it
    pending.cancel();
    pending.place_by.reset();
    return;
  }
  if (!pending.decision) {
    wheel_.arm(pending, now + service_.classify_timeout);
    return;
  }
  if (!pending.place_by) pending.place_by = now + service_.placement_timeout;
  if (std::exchange(pending.wants_retry, false)) {
    pending.retry_at = now + pending.retry_after;
    pending.retry_after = std::min(2 * pending.retry_after, kRetryMax);
  }
  wheel_.arm(pending, std::min(*pending.place_by, pending.retry_at.value_or(kNever)));
}

void Classifier::expire(Pending& pending, Instant now) {
  if (pending.unscheduled) return;  // this deadline was of the step before
  if (!pending.decision) {
    decide_default(pending, "timeout");
    return;
  }
  if (now >= *pending.place_by) {
    pending.overdue = true;
    if (!pending.offered) give_up(pending);
    return;
  }
  pending.retry_at.reset();
  offer(pending);
}

void Classifier::on_deadline(Instant now) {
  latest_ = now;
  while (TimerWheel::Node* node = wheel_.pop_expired(now))
    expire(static_cast<Pending&>(*node), now);
  for (const ConnectionId& id : std::exchange(unscheduled_, {})) {
    Pending* const pending = find(id);
    if (pending != nullptr && pending->unscheduled) schedule(*pending, now);
  }
}

}  // namespace migd
