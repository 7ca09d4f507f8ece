// The blob: the connection state of one connection as bytes, the unit that travels.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------------------------------------------------------+
//   |                       magic  "MIGB"                           |
//   +-------------------------------+-------------------------------+
//   |            version            |      compatible version       |
//   +-------------------------------+-------------------------------+
//   |  type         |M|  reserved   |        length (high)          |  \  one section,
//   +-------------------------------+-------------------------------+   > repeated to the
//   |        length (low)           |   value ...                   |  /  end
//   +-------------------------------+-------------------------------+
//
// Every integer is big-endian. M (0x80): a reader that does not know the type must refuse the blob;
// without it the section is skipped. Each section appears at most once. `version` is that of the
// writer; a reader takes a blob when its own version is at least `compatible version` and the
// blob's compatible version is at least the reader's oldest. Byte ranges travel, not segments; FIN
// positions are explicit; every time is a duration. Integrity and secrecy are the channel's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/connection_reference.h"
#include "base/ids.h"
#include "base/messages.h"
#include "base/result.h"
#include "migrator/suspended.h"
#include "stack/snapshot.h"

namespace migd {

inline constexpr std::uint32_t kBlobMagic = 0x4d494742;
inline constexpr std::uint16_t kBlobVersion = 1;
inline constexpr std::uint16_t kBlobCompatibleVersion = 1;  // oldest reader that understands us
inline constexpr std::uint16_t kBlobOldestReadable = 1;

// One move of the connection, for traces. Nothing needs synchronised clocks: each node says for how
// long it held the connection; on the wire that is microseconds, of at most 32 bits, but for the
// age.
struct PastMove {
  NodeId from, to;
  NodeId forwarder;      // whose mapping changed with it; 0: none
  Epoch epoch;           // of the new owner
  std::string asked_by;  // "operator", "classifier", ...
  MigrationMode mode = MigrationMode::kNow;
  bool at_once = false;  // GRANT went with STATE: one crossing
  std::uint32_t blob_bytes = 0;
  Duration prepared{};   // asked for until frozen, at the source
  Duration at_source{};  // frozen until GRANT left the source; with what STATE and READY took
  Duration crossing{};   // of GRANT: half a round trip, as measured by the target
  Duration at_target{};  // attached until active, at the target
  Duration age{};        // since it became active
  std::optional<Duration> first_out, first_in;  // segments, since it became active

  // How long the client waited at most for a node to answer.
  Duration frozen() const {
    return at_source + crossing + (at_once ? at_target : Duration::zero());
  }
};
inline constexpr std::size_t kPastMovesMax = 8;  // so that an idle connection fits one datagram
inline constexpr std::size_t kAskedByMax = 32;

// The latest kPastMovesMax, and how many there were before them.
struct MoveHistory {
  std::vector<PastMove> moves;
  std::uint32_t older = 0;

  void add(PastMove move);
};

// What an unbound connection brings along, for the node that is to answer as if it were the first.
struct Forwarded {
  ConnectionReference endpoint;
  std::uint8_t times = 1;  // that it has moved unbound, at most limits::kForwardHopsMax
  bool kept = false;       // it had an application, and waits to be bound
};

struct ConnectionBlob {
  Tenure tenure;  // of the owner-to-be
  NodeId source;
  std::string service;
  std::string application;  // that shall have it; empty: nobody has chosen one
  Bytes application_state;
  std::optional<Forwarded> forwarded;  // set: no application has it at the source
  SuspendedStates suspended;
  TcpSnapshot tcp;
  MoveHistory history;  // the move that it is on last, as far as the source knows it
};

Bytes encode_blob(const ConnectionBlob& blob);

// Structure only: lengths, versions, sections, enumerations, text limits. What the values mean to
// the stack is validated by Stack::attach(). The error names the rule.
Result<ConnectionBlob> decode_blob(ByteView bytes);

// The history alone, as it stands in the blob: older(4), then the moves.
Bytes encode_history(const MoveHistory& history);
Result<MoveHistory> decode_history(ByteView bytes);

}  // namespace migd
