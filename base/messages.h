// Every message of the bus, and with it the vocabulary in which forwarder, classifier, migrator and
// the admin interface tell each other what happened and what they want. Facts are in the past
// tense, wishes are called Request. `migd events` prints each as one line.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <variant>

#include "base/address.h"
#include "base/bytes.h"
#include "base/connection_reference.h"
#include "base/ids.h"
#include "base/time.h"

namespace migd {

// ---- connections ----

// A SYN was answered; the connection exists, unbound.
struct ConnectionOpened {
  ConnectionId connection;
  FourTuple tuple;
  std::string service;
};

// The classifier has decided: here the application gets it, elsewhere it comes unbound, with the
// name of the application that shall have it.
struct ConnectionClassified {
  ConnectionReference endpoint;
  std::string rule;  // the rule's name, or "default", or "default (timeout)"
  NodeId target;
  std::string application;
};

struct ConnectionBound {
  ConnectionId connection;
  std::string application;
  bool restored = false;  // with state that another node captured
};

// Its application has it no more, and left its state behind; nobody reads or writes.
struct ConnectionUnbound {
  ConnectionId connection;
  std::string application;  // that had it
};

enum class CloseReason : std::uint8_t {
  kFinished,       // both sides closed in order
  kPeerReset,      // the client sent RST
  kLocalAbort,     // the application or the daemon's end aborted it
  kTimedOut,       // retransmissions, keep-alives or a half-closed state ran out
  kInternalError,  // quarantined after a failed assertion in the stack
  kMigrated,       // it lives on at another node
  kUnbound,        // it lives on without the application that had it
  kSuperseded,     // half-open here when the client began anew at another node
};
std::string_view to_string(CloseReason reason);

struct ConnectionClosed {
  Tenure tenure;
  FourTuple tuple;
  CloseReason reason = CloseReason::kFinished;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  Duration age{};
};

// ---- migrations ----

// The stages of migrator/stages.h, by name here because they travel in events and reports.
enum class Stage : std::uint8_t {
  kRequested,  // source: wanted; blockers are checked, the target is asked
  kPrepared,   // source: the target has promised to take it
  kFrozen,     // source: silent, captured
  kSent,       // source: STATE is on its way
  kMapped,     // forwarder: the mapping names the target
  kAttached,   // target: READY
  kGranted,    // source: point of no return
  kActivated,  // target: ACTIVE
  kReleased,   // source: tombstone
};
inline constexpr std::size_t kStageCount = 9;
std::string_view to_string(Stage stage);

enum class MigrationOutcome : std::uint8_t {
  kCompleted,
  kRefused,  // a named blocker, or the target said no
  kAborted,  // given up before GRANT; the connection goes on at the source
};
std::string_view to_string(MigrationOutcome outcome);

// How a connection that shall move is treated until it is frozen.
enum class MigrationMode : std::uint8_t {
  kNow,    // goes on, or settles for some milliseconds
  kDrain,  // writes nothing more, and is frozen when the client has acknowledged everything
  kHold,   // neither reads nor writes until the target has promised, however long that takes: the
           // client is held by the window, which closes
};
std::string_view to_string(MigrationMode mode);
std::optional<MigrationMode> parse_migration_mode(std::string_view text);

// What the asker grants a move, and wants of it.
struct MoveTerms {
  Duration timeout = 5s;
  MigrationMode mode = MigrationMode::kNow;
  // Empty: the application that has it now. The target's may be of another type.
  std::string application = {};
  bool unbound = false;  // without an application: it is kept until somebody binds it
};

// Somebody wants a connection to move: the classifier, the application, the operator, a policy.
struct MigrationRequest {
  std::uint64_t request = 0;  // 0, or a number the asker will recognise in MigrationFinished
  ConnectionId connection;
  NodeId target;  // 0: it stays, and is bound, or unbound
  std::optional<Epoch> expected_epoch;
  MoveTerms terms;
  std::string asked_by;  // "classifier", "application", "operator", "drain"
};

struct MigrationStageReached {
  Tenure tenure;  // of the new owner
  Stage stage = Stage::kRequested;
  Duration since_start{};
};

// At the source. Stage times are since kRequested, in this node's clock or rebased to it; unset
// where a stage was not reached or is not known here.
struct MigrationFinished {
  std::uint64_t request = 0;
  Tenure tenure;  // of the new owner, or of the one that keeps it
  NodeId source;
  NodeId target;
  MigrationOutcome outcome = MigrationOutcome::kCompleted;
  std::string reason;  // why not, by name and in words
  std::uint32_t blob_bytes = 0;
  std::array<std::optional<Duration>, kStageCount> stage_at{};
};

// At the target: a connection came in and is active.
struct MigrationArrived {
  Tenure tenure;
  FourTuple tuple;
  NodeId source;
  std::string application;
  std::uint32_t blob_bytes = 0;
  Duration silent{};  // freeze to activation, as far as it is known here
};

// ---- mappings ----

// Install or replace: packets of the tuple go to `owner` under `flow`, which may be none. A lower
// epoch of the same connection never replaces a higher one.
struct MappingRequest {
  FourTuple tuple;
  Tenure tenure;
  NodeId owner;
  FlowId flow;
  NodeId from{};           // it moves from there; 0: it does not move
  bool half_open = false;  // the client may have begun anew elsewhere since
};

struct MappingInstalled {
  FourTuple tuple;
  Tenure tenure;
  NodeId owner;
  NodeId previous_owner;
  FlowId flow;
  bool quiet = false;  // it moves, and no packet is on the way that it leaves
};

// Another connection, or a newer owner, is mapped.
struct MappingRefused {
  MappingRequest request;
  Tenure mapped;
  NodeId mapped_owner;
};

struct MappingRemoveRequest {
  FourTuple tuple;
  Tenure tenure;
};

// ---- peers ----

struct PeerLoad {
  std::uint32_t connections = 0;
  std::uint16_t busy_permille = 0;  // of one core
  bool draining = false;
  bool operator==(const PeerLoad&) const = default;
};

struct PeerUp {
  NodeId peer;
  Boot boot;
};

struct PeerDown {
  NodeId peer;
  std::string reason;
};

struct PeerLoadReported {
  NodeId peer;
  PeerLoad load;
};

using Message =
    std::variant<ConnectionOpened, ConnectionClassified, ConnectionBound, ConnectionUnbound,
                 ConnectionClosed, MigrationRequest, MigrationStageReached, MigrationFinished,
                 MigrationArrived, MappingRequest, MappingInstalled, MappingRefused,
                 MappingRemoveRequest, PeerUp, PeerDown, PeerLoadReported>;

// "connection_opened", ... and its fields as key/value text, in a fixed order, for events and logs.
std::string_view name_of(const Message& message);
struct MessageField {
  std::string_view key;
  std::string value;
};
std::vector<MessageField> fields_of(const Message& message);

}  // namespace migd
