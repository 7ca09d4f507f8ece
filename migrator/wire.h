// The messages of the migration protocol, as they travel over the blob channel: each is a kind and
// a head of at most a few hundred bytes, big-endian; STATE has a body, the blob, sealed from source
// to target, and so has TRACED. Every one of them is idempotent by the tenure it names.
//
// clang-format off
//   kind            head
//   STATE           tenure(20) source(2) target(2) forwarder(2) flow(4) own_flow(4)
//                   flags(1) four-tuple               + blob; flag 1: GRANT rides with it,
//                                                     flag 2: forwarded, no application has it
//   READY           tenure(20)
//   REFUSE          tenure(20) reason(text)           the target never activated it, and won't
//   GRANT           tenure(20) held(8)                nanoseconds since the freeze
//   ACTIVE          tenure(20) silent(8)              nanoseconds from attach to activation
//   ABORT           tenure(20) reason(text)           the source keeps it
//   BARRIER         tenure(20) forwarder(2) boot(8)   nothing older follows on this path
//   MAP             tenure(20) owner(2) flow(4) four-tuple
//   UNMAP           tenure(20) four-tuple
//   LEASE_REQUEST   -
//   LEASE           first(4) count(4) key(16)
//   LOCATE          query(8) prefix(text)
//   LOCATED         query(8) n(1) n * { tenure(20) here(1) next_owner(2) }
//   ORDER           request(8) connection(16) target(2) timeout(8) mode(1)
//                   unbound(1) application(text)      target 0: it stays where it is
//   ORDER_RESULT    request(8) outcome(1) tenure(20) source(2) target(2) blob_bytes(4)
//                   stages(9*8) reason(text)          nanoseconds; all ones: never reached
//   PREPARE         tenure(20) four-tuple flags(1) application(text)
//                                                     flag 1: it will be kept unbound
//   PROMISE         tenure(20) reason(text)           empty: the target will take it
//   TRACE           query(8) connection(16)
//   TRACED          query(8) found(1) tenure(20) four-tuple   + history (migrator/blob.h)
//   MOVED           tenure(20) owner(2) four-tuple    where what we pass on ends
// clang-format on
//
// tenure: connection id (16), epoch (4). text: length (1), bytes. four-tuple: base/address.h.
#pragma once

#include <array>
#include <string>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/ids.h"
#include "base/messages.h"
#include "base/result.h"
#include "base/siphash.h"

namespace migd::wire {

enum class Kind : std::uint8_t {
  kState = 1,
  kReady,
  kRefuse,
  kGrant,
  kActive,
  kAbort,
  kBarrier,
  kMap,
  kUnmap,
  kLeaseRequest,
  kLease,
  kLocate,
  kLocated,
  kOrder,
  kOrderResult,
  kPrepare,
  kPromise,
  kTrace,
  kTraced,
  kMoved,
};

// The mapping header of STATE: all that a forwarder on the way needs, and may know.
struct State {
  Tenure tenure;  // of the owner-to-be
  NodeId source, target;
  NodeId forwarder;  // whose mapping changes and whose flow id it is; may be source or target
  FlowId flow;
  FlowId own_flow;         // under which the source itself passes stragglers on; 0: it uses GUE
  bool granted = false;    // GRANT rides with it: the target may go on at once
  bool forwarded = false;  // no application has it; the blob refers to its endpoint
  FourTuple tuple;
};
struct Ready {
  Tenure tenure;
};
struct Refuse {
  Tenure tenure;
  std::string reason;
};
struct Grant {
  Tenure tenure;
  Duration held{};  // by the source, since the freeze
};
struct Active {
  Tenure tenure;
  Duration silent{};
};
struct Abort {
  Tenure tenure;
  std::string reason;
};
struct Barrier {
  Tenure tenure;
  NodeId forwarder;
  Boot boot;           // of the forwarder: what it has mapped dies with it
  bool quiet = false;  // no packet was on the old way, and no order mark follows
};
struct Map {
  Tenure tenure;
  NodeId owner;
  FlowId flow;
  bool half_open = false;  // the client may have begun anew elsewhere since
  FourTuple tuple;
};
struct Unmap {
  Tenure tenure;
  FourTuple tuple;
};
struct LeaseRequest {};
struct Lease {
  std::uint32_t first = 0, count = 0;
  SipKey key{};
};
struct Locate {
  std::uint64_t query = 0;
  std::string prefix;
};
struct Located {
  std::uint64_t query = 0;
  struct Match {
    Tenure tenure;
    bool here = false;  // lives at the node that answers
    NodeId next_owner;  // where it went, when it is not here but a tombstone is
  };
  static constexpr std::size_t kMatchesMax = 16;
  std::vector<Match> matches;
};
struct Order {
  std::uint64_t request = 0;
  ConnectionId connection;
  NodeId target;
  MoveTerms terms;
};
struct OrderResult {
  MigrationFinished finished;
};
// Before the freeze: would the target take it? The answer binds it to nothing that the client could
// feel; its REFUSE of the STATE is still heard.
struct Prepare {
  Tenure tenure;
  FourTuple tuple;
  bool kept = false;        // it needs nobody
  std::string application;  // empty: unless it is kept, a classifier is needed
};
struct Promise {
  Tenure tenure;
  std::string reason;  // why not; empty: yes
};

// To the owner: what has the connection been through?
struct Trace {
  std::uint64_t query = 0;
  ConnectionId connection;
};
struct Traced {
  std::uint64_t query = 0;
  bool found = false;  // it lives at the node that answers
  Tenure tenure;
  FourTuple tuple;
};

// To the node that passes packets on to us, by its tombstone: we have only a tombstone, too. Or the
// forwarder's answer to a MAP of another connection.
struct Moved {
  Tenure tenure;
  NodeId owner;
  Tenure instead_of;  // in the answer to a MAP: of that; else zero
  FourTuple tuple;
};

using Message = std::variant<State, Ready, Refuse, Grant, Active, Abort, Barrier, Map, Unmap,
                             LeaseRequest, Lease, Locate, Located, Order, OrderResult, Prepare,
                             Promise, Trace, Traced, Moved>;

Kind kind_of(const Message& message);
Bytes serialize(const Message& message);  // the head
// kProtocol with the broken rule for anything that is not exactly one message of that kind.
Result<Message> parse(std::uint8_t kind, ByteView head);

}  // namespace migd::wire
