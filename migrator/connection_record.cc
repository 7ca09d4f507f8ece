#include "migrator/connection_record.h"

#include <algorithm>

namespace migd {

MoveHistory history_of(const ConnectionRecord& record, const Connection& connection, Instant now) {
  MoveHistory history = record.history;
  for (PastMove& move : history.moves)
    move.age += now - record.as_of;
  if (history.moves.empty()) return history;
  PastMove& latest = history.moves.back();
  const Instant active = now - latest.age;
  const auto since = [active](const std::optional<Instant>& at) {
    return at ? std::optional<Duration>(std::max<Duration>(*at - active, Duration::zero()))
              : std::nullopt;
  };
  latest.first_out = since(connection.first_sent());
  latest.first_in = since(connection.first_heard());
  return history;
}

}  // namespace migd
