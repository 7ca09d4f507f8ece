#include "base/messages.h"

#include <initializer_list>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace migd {
namespace {

using Fields = std::vector<MessageField>;

std::string text_of(const std::string& v) {
  return v;
}
std::string text_of(std::string_view v) {
  return std::string(v);
}
std::string text_of(const ConnectionId& v) {
  return v.to_string();
}
std::string text_of(const Endpoint& v) {
  return v.to_string();
}
std::string text_of(NodeId v) {
  return std::to_string(v.value);
}
std::string text_of(Epoch v) {
  return std::to_string(v.value);
}
std::string text_of(FlowId v) {
  return std::to_string(v.value);
}
std::string text_of(bool v) {
  return v ? "true" : "false";
}
std::string text_of(std::uint16_t v) {
  return std::to_string(v);
}
std::string text_of(std::uint32_t v) {
  return std::to_string(v);
}
std::string text_of(std::uint64_t v) {
  return std::to_string(v);
}
std::string text_of(Duration v) {
  return std::to_string(to_microseconds(v));
}

template <typename T>
void put(Fields& out, std::string_view key, const T& value) {
  out.push_back({key, text_of(value)});
}
void put_tuple(Fields& out, const FourTuple& tuple) {
  put(out, "peer", tuple.peer);
  put(out, "local", tuple.local);
}
void put_tenure(Fields& out, const Tenure& tenure) {
  put(out, "connection", tenure.connection);
  put(out, "epoch", tenure.epoch);
}

// "<stage>_us": a key must outlive its field.
std::string_view time_key_of(Stage stage) {
  switch (stage) {
    case Stage::kPrepared:
      return "prepared_us";
    case Stage::kRequested:
      return "requested_us";
    case Stage::kFrozen:
      return "frozen_us";
    case Stage::kSent:
      return "sent_us";
    case Stage::kMapped:
      return "mapped_us";
    case Stage::kAttached:
      return "attached_us";
    case Stage::kGranted:
      return "granted_us";
    case Stage::kActivated:
      return "activated_us";
    case Stage::kReleased:
      return "released_us";
  }
  check_failed("Stage is known", __FILE__, __LINE__);
}

void put_all(Fields& out, const ConnectionOpened& m) {
  put(out, "connection", m.connection);
  put_tuple(out, m.tuple);
  put(out, "service", m.service);
}
void put_all(Fields& out, const ConnectionClassified& m) {
  put(out, "connection", m.endpoint.connection);
  put(out, "rule", m.rule);
  put(out, "target", m.target);
  put(out, "application", m.application);
}
void put_all(Fields& out, const ConnectionBound& m) {
  put(out, "connection", m.connection);
  put(out, "application", m.application);
  put(out, "restored", m.restored);
}
void put_all(Fields& out, const ConnectionUnbound& m) {
  put(out, "connection", m.connection);
  put(out, "application", m.application);
}
void put_all(Fields& out, const ConnectionClosed& m) {
  put_tenure(out, m.tenure);
  put_tuple(out, m.tuple);
  put(out, "reason", to_string(m.reason));
  put(out, "bytes_in", m.bytes_in);
  put(out, "bytes_out", m.bytes_out);
  put(out, "age_us", m.age);
}
void put_all(Fields& out, const MigrationRequest& m) {
  if (m.request != 0) put(out, "request", m.request);
  put(out, "connection", m.connection);
  put(out, "target", m.target);
  if (!m.terms.application.empty()) put(out, "application", m.terms.application);
  if (m.terms.unbound) put(out, "unbound", m.terms.unbound);
  if (m.expected_epoch) put(out, "expected_epoch", *m.expected_epoch);
  put(out, "timeout_us", m.terms.timeout);
  if (m.terms.mode != MigrationMode::kNow) put(out, "mode", to_string(m.terms.mode));
  put(out, "asked_by", m.asked_by);
}
void put_all(Fields& out, const MigrationStageReached& m) {
  put_tenure(out, m.tenure);
  put(out, "stage", to_string(m.stage));
  put(out, "since_start_us", m.since_start);
}
void put_all(Fields& out, const MigrationFinished& m) {
  if (m.request != 0) put(out, "request", m.request);
  put_tenure(out, m.tenure);
  put(out, "source", m.source);
  put(out, "target", m.target);
  put(out, "outcome", to_string(m.outcome));
  if (!m.reason.empty()) put(out, "reason", m.reason);
  put(out, "blob_bytes", m.blob_bytes);
  for (std::size_t i = 0; i < m.stage_at.size(); ++i) {
    if (m.stage_at[i]) put(out, time_key_of(static_cast<Stage>(i)), *m.stage_at[i]);
  }
}
void put_all(Fields& out, const MigrationArrived& m) {
  put_tenure(out, m.tenure);
  put_tuple(out, m.tuple);
  put(out, "source", m.source);
  put(out, "application", m.application);
  put(out, "blob_bytes", m.blob_bytes);
  put(out, "silent_us", m.silent);
}
void put_all(Fields& out, const MappingRequest& m) {
  put_tenure(out, m.tenure);
  put_tuple(out, m.tuple);
  put(out, "owner", m.owner);
  put(out, "flow", m.flow);
}
void put_all(Fields& out, const MappingInstalled& m) {
  put_tenure(out, m.tenure);
  put_tuple(out, m.tuple);
  put(out, "owner", m.owner);
  put(out, "previous_owner", m.previous_owner);
  put(out, "flow", m.flow);
  put(out, "quiet", m.quiet);
}
void put_all(Fields& out, const MappingRefused& m) {
  put_tenure(out, m.request.tenure);
  put_tuple(out, m.request.tuple);
  put(out, "owner", m.request.owner);
  put(out, "mapped", m.mapped.connection.to_string());
  put(out, "mapped_owner", m.mapped_owner);
}
void put_all(Fields& out, const MappingRemoveRequest& m) {
  put_tenure(out, m.tenure);
  put_tuple(out, m.tuple);
}
void put_all(Fields& out, const PeerUp& m) {
  put(out, "peer", m.peer);
  put(out, "boot", m.boot.value);
}
void put_all(Fields& out, const PeerDown& m) {
  put(out, "peer", m.peer);
  put(out, "reason", m.reason);
}
void put_all(Fields& out, const PeerLoadReported& m) {
  put(out, "peer", m.peer);
  put(out, "connections", m.load.connections);
  put(out, "busy_permille", m.load.busy_permille);
  put(out, "draining", m.load.draining);
}

// In the order of the variant.
constexpr std::string_view kNames[] = {
    "connection_opened",
    "connection_classified",
    "connection_bound",
    "connection_unbound",
    "connection_closed",
    "migration_request",
    "migration_stage_reached",
    "migration_finished",
    "migration_arrived",
    "mapping_request",
    "mapping_installed",
    "mapping_refused",
    "mapping_remove_request",
    "peer_up",
    "peer_down",
    "peer_load_reported",
};
static_assert(std::size(kNames) == std::variant_size_v<Message>);

}  // namespace

std::string_view to_string(CloseReason reason) {
  switch (reason) {
    case CloseReason::kFinished:
      return "finished";
    case CloseReason::kPeerReset:
      return "peer_reset";
    case CloseReason::kLocalAbort:
      return "local_abort";
    case CloseReason::kTimedOut:
      return "timed_out";
    case CloseReason::kInternalError:
      return "internal_error";
    case CloseReason::kUnbound:
      return "unbound";
    case CloseReason::kMigrated:
      return "migrated";
    case CloseReason::kSuperseded:
      return "superseded";
  }
  check_failed("CloseReason is known", __FILE__, __LINE__);
}

std::string_view to_string(Stage stage) {
  std::string_view key = time_key_of(stage);
  key.remove_suffix(std::string_view("_us").size());
  return key;
}

std::string_view to_string(MigrationMode mode) {
  switch (mode) {
    case MigrationMode::kNow:
      return "now";
    case MigrationMode::kDrain:
      return "drain";
    case MigrationMode::kHold:
      return "hold";
  }
  check_failed("MigrationMode is known", __FILE__, __LINE__);
}

std::optional<MigrationMode> parse_migration_mode(std::string_view text) {
  for (const auto mode : {MigrationMode::kNow, MigrationMode::kDrain, MigrationMode::kHold}) {
    if (text == to_string(mode)) return mode;
  }
  return std::nullopt;
}

std::string_view to_string(MigrationOutcome outcome) {
  switch (outcome) {
    case MigrationOutcome::kCompleted:
      return "completed";
    case MigrationOutcome::kRefused:
      return "refused";
    case MigrationOutcome::kAborted:
      return "aborted";
  }
  check_failed("MigrationOutcome is known", __FILE__, __LINE__);
}

std::string_view name_of(const Message& message) {
  return kNames[message.index()];
}

std::vector<MessageField> fields_of(const Message& message) {
  Fields fields;
  std::visit([&](const auto& m) { put_all(fields, m); }, message);
  return fields;
}

}  // namespace migd
