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
#include "base/result.h"
#include "migrator/suspended.h"
#include "stack/snapshot.h"

namespace migd {

inline constexpr std::uint32_t kBlobMagic = 0x4d494742;
inline constexpr std::uint16_t kBlobVersion = 1;
inline constexpr std::uint16_t kBlobCompatibleVersion = 1;  // oldest reader that understands us
inline constexpr std::uint16_t kBlobOldestReadable = 1;

// One earlier move of the connection, for `migd conns` and traces.
struct PastMove {
  NodeId from, to;
  Epoch epoch;     // of the new owner
  Duration age{};  // since it became active
};
inline constexpr std::size_t kPastMovesMax = 32;

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
  std::vector<PastMove> past_moves;  // the latest kPastMovesMax
};

Bytes encode_blob(const ConnectionBlob& blob);

// Structure only: lengths, versions, sections, enumerations, text limits. What the values mean to
// the stack is validated by Stack::attach(). The error names the rule.
Result<ConnectionBlob> decode_blob(ByteView bytes);

}  // namespace migd
