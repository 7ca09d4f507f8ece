#include "migrator/operator_desk.h"

#include <algorithm>
#include <utility>

namespace migd {
namespace {

bool has_prefix(const ConnectionId& id, const std::string& prefix) {
  return id.to_string().compare(0, prefix.size(), prefix) == 0;
}

}  // namespace

OperatorDesk::OperatorDesk(MigratorEnvironment& environment, Instant now)
    : env_(environment), wheel_(now) {}

// ---- asking ----

void OperatorDesk::migrate(const std::string& id_prefix, NodeId target, const MoveTerms& terms,
                           Done done, Instant now) {
  auto opened = std::make_unique<Case>();
  opened->prefix = id_prefix;
  opened->target = target;
  opened->terms = terms;
  opened->deadline = now + terms.timeout;
  opened->done = std::move(done);
  open(std::move(opened), now);
}

void OperatorDesk::trace(const std::string& id_prefix, Duration timeout, Traced done, Instant now) {
  auto opened = std::make_unique<Case>();
  opened->prefix = id_prefix;
  opened->deadline = now + timeout;
  opened->traced = std::move(done);
  open(std::move(opened), now);
}

// Who owns it?
void OperatorDesk::open(std::unique_ptr<Case> opened, Instant now) {
  Case& c = *opened;
  c.number = next_number_++;
  cases_[c.number] = std::move(opened);
  for (const auto& match : local_matches(c.prefix)) {
    if (match.here) add_match(c, match.tenure, env_.options.self);
  }
  if (lives_here(c.prefix)) return give_order(c, now);  // nobody can know better
  for (const NodeInfo& peer : env_.options.peers) {
    if (env_.channel.session_up(peer.id) &&
        env_.send(peer.id, wire::Locate{c.number, c.prefix}, now)) {
      c.unanswered.push_back(peer.id);
    }
  }
  if (c.unanswered.empty()) {
    give_order(c, now);
  } else {
    wheel_.arm(c, std::min(c.deadline, now + kLocatePatience));
  }
}

void OperatorDesk::add_match(Case& c, const Tenure& tenure, NodeId owner) {
  for (Match& match : c.matches) {
    if (match.tenure.connection != tenure.connection) continue;
    if (match.tenure.epoch < tenure.epoch) match = {tenure, owner};  // it moved while we asked
    return;
  }
  c.matches.push_back({tenure, owner});
}

void OperatorDesk::on_located(NodeId from, const wire::Located& message, Instant now) {
  const auto it = cases_.find(message.query);
  if (it == cases_.end() || it->second->ordered) return;
  for (const auto& match : message.matches) {
    if (match.here) add_match(*it->second, match.tenure, from);
  }
  answered(*it->second, from, now);
}

void OperatorDesk::answered(Case& c, NodeId peer, Instant now) {
  std::erase(c.unanswered, peer);
  if (c.unanswered.empty()) give_order(c, now);
}

void OperatorDesk::give_order(Case& c, Instant now) {
  if (c.matches.empty()) {
    close(c.number, fail(ErrorCode::kNotFound,
                         "no connection has an id that begins with '" + c.prefix + "'"));
    return;
  }
  if (c.matches.size() > 1) {
    close(c.number, fail(ErrorCode::kInvalidArgument, "'" + c.prefix + "' is the beginning of " +
                                                          std::to_string(c.matches.size()) +
                                                          " connections' ids"));
    return;
  }
  const Match& match = c.matches.front();
  c.ordered = true;
  c.owner = match.owner;
  MoveTerms terms = c.terms;
  terms.timeout = c.deadline - now;
  wheel_.arm(c, c.deadline);
  if (c.traced) return ask_for_trace(c, match.tenure.connection, now);
  if (match.owner == env_.options.self) {
    MigrationRequest request;
    request.request = c.number;
    request.connection = match.tenure.connection;
    request.target = c.target;
    request.terms = terms;
    request.asked_by = "operator";
    env_.bus.post(std::move(request));
  } else if (!env_.send(match.owner,
                        wire::Order{c.number, match.tenure.connection, c.target, terms}, now)) {
    close(c.number, fail(ErrorCode::kUnavailable, "the owner is not reachable"));
  }
}

void OperatorDesk::close(std::uint64_t number, Result<MigrationFinished> result) {
  auto node = cases_.extract(number);
  if (node.empty()) return;
  const Case& c = *node.mapped();
  if (c.traced) return c.traced(tl::unexpected(result.error()));  // the one way to get here
  c.done(std::move(result));
}

// ---- traces ----

std::optional<ConnectionTrace> OperatorDesk::local_trace(const ConnectionId& id,
                                                         Instant now) const {
  const Connection* const connection = env_.stack.find(id);
  if (connection == nullptr) return std::nullopt;
  ConnectionTrace trace{{id, connection->epoch()}, connection->tuple(), env_.options.self, {}};
  if (const auto record = env_.records.find(id); record != env_.records.end()) {
    trace.history = history_of(record->second, *connection, now);
  }
  return trace;
}

void OperatorDesk::ask_for_trace(Case& c, const ConnectionId& id, Instant now) {
  if (c.owner != env_.options.self) {
    if (env_.send(c.owner, wire::Trace{c.number, id}, now)) return;
    close(c.number, fail(ErrorCode::kUnavailable, "the owner is not reachable"));
  } else if (const auto trace = local_trace(id, now)) {
    cases_.extract(c.number).mapped()->traced(*trace);
  } else {
    close(c.number, fail(ErrorCode::kNotFound, "the connection has ended"));
  }
}

void OperatorDesk::on_trace(NodeId from, const wire::Trace& message, Instant now) {
  wire::Traced answer;
  answer.query = message.query;
  Bytes history;
  if (const auto trace = local_trace(message.connection, now)) {
    answer.found = true;
    answer.tenure = trace->tenure;
    answer.tuple = trace->tuple;
    history = encode_history(trace->history);
  }
  env_.send(from, answer, history, now);
}

void OperatorDesk::on_traced(NodeId from, const wire::Traced& message, ByteView history, Instant) {
  const auto it = cases_.find(message.query);
  if (it == cases_.end() || !it->second->traced || !it->second->ordered ||
      it->second->owner != from) {
    return;
  }
  Result<MoveHistory> moves = decode_history(history);
  if (!message.found) {
    close(message.query, fail(ErrorCode::kNotFound, "the connection has ended"));
  } else if (!moves) {
    close(message.query, tl::unexpected(moves.error()));
  } else {
    cases_.extract(it).mapped()->traced(
        ConnectionTrace{message.tenure, message.tuple, from, std::move(*moves)});
  }
}

// ---- answering ----

std::vector<wire::Located::Match> OperatorDesk::local_matches(const std::string& prefix) const {
  std::vector<wire::Located::Match> found;
  if (const auto id = ConnectionId::parse(prefix)) {  // a whole one, among perhaps many thousands
    if (const Connection* connection = env_.stack.find(*id)) {
      found.push_back({{*id, connection->epoch()}, true, env_.options.self});
    }
    return found;
  }
  env_.stack.for_each([&](Connection& connection) {
    if (found.size() < wire::Located::kMatchesMax && has_prefix(connection.id(), prefix)) {
      found.push_back({{connection.id(), connection.epoch()}, true, env_.options.self});
    }
  });
  return found;
}

bool OperatorDesk::lives_here(const std::string& text) const {
  const auto id = ConnectionId::parse(text);
  const Connection* connection = id ? env_.stack.find(*id) : nullptr;
  return connection != nullptr && !connection->frozen();
}

void OperatorDesk::on_locate(NodeId from, const wire::Locate& message, Instant now) {
  env_.send(from, wire::Located{message.query, local_matches(message.prefix)}, now);
}

void OperatorDesk::on_order(NodeId from, const wire::Order& message, Instant now) {
  const std::uint64_t number = next_number_++;
  errands_[number] = {from, message.request};
  MigrationRequest request;
  request.request = number;
  request.connection = message.connection;
  request.target = message.target;
  request.terms = message.terms;
  request.asked_by = "operator";
  env_.bus.post(std::move(request));
  static_cast<void>(now);
}

void OperatorDesk::on_finished(const MigrationFinished& finished, Instant now) {
  if (finished.request == 0) return;
  if (const auto errand = errands_.find(finished.request); errand != errands_.end()) {
    wire::OrderResult result{finished};
    result.finished.request = errand->second.request;
    env_.send(errand->second.from, result, now);
    errands_.erase(errand);
  } else if (const auto it = cases_.find(finished.request);
             it != cases_.end() && it->second->done) {
    close(finished.request, finished);
  }
}

void OperatorDesk::on_order_result(NodeId from, const wire::OrderResult& message, Instant) {
  const auto it = cases_.find(message.finished.request);
  if (it == cases_.end() || !it->second->ordered || it->second->owner != from ||
      !it->second->done) {
    return;
  }
  close(message.finished.request, message.finished);
}

// ---- what does not come ----

void OperatorDesk::on_session_down(NodeId peer, Instant now) {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, c] : cases_)
    numbers.push_back(number);
  for (std::uint64_t number : numbers) {
    const auto it = cases_.find(number);
    if (it == cases_.end()) continue;
    Case& c = *it->second;
    if (!c.ordered) {
      answered(c, peer, now);
    } else if (c.owner == peer) {
      close(number, fail(ErrorCode::kUnavailable, "the owner is not reachable any more"));
    }
  }
  std::erase_if(errands_, [&](const auto& entry) { return entry.second.from == peer; });
}

void OperatorDesk::on_deadline(Instant now) {
  while (TimerWheel::Node* node = wheel_.pop_expired(now)) {
    Case& c = static_cast<Case&>(*node);
    if (!c.ordered && c.deadline > now) {
      c.unanswered.clear();
      give_order(c, now);
    } else {
      close(c.number, fail(ErrorCode::kDeadline, "not done in time"));
    }
  }
}

}  // namespace migd
