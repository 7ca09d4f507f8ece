// The shim: above the protocol stack, between it and the socket layer.
//
// Theory of operation
//   At the source it takes a connection out of its application's hands and compiles the connection
//   state from the top down: socket (which application, and that application's own state), then
//   TCP and IP (the stack's snapshot). Nothing it does on the way changes that state; thaw() gives
//   everything back as if nothing had happened.
//   At the target it infuses from the highest layer down: the application is asked for first, then
//   the stack attaches the PCB, silent, and the application is bound to it, so that a state that
//   nobody here can serve is refused while the source still can go on. activate() lets it speak.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "migrator/blob.h"
#include "migrator/connection_record.h"
#include "stack/stack.h"

namespace migd {

class Shim {
 public:
  Shim(Stack& stack, ApplicationHost& applications) : stack_(stack), applications_(applications) {}

  // What stands in the way of moving it, as far as stack and application know (all of it:
  // readiness.h).
  Blockers blockers(const Connection& connection) const;

  FrozenConnection freeze(Connection& connection, Instant now);
  void thaw(FrozenConnection frozen, Instant now);  // at the source: as if nothing had happened
  void activate(FrozenConnection frozen,
                Instant now);             // at the target: the same, for the first time
  void release(FrozenConnection frozen);  // gone from here, without a segment

  // What the target's application shall be, and what it shall be given, when the asker said so.
  struct Handover {
    std::string application;
    std::optional<Bytes> state;
    bool unbound = false;  // nobody shall have it, until it is bound
  };
  // An application that loses the connection to another one, or to none, leaves its state behind
  // as a suspended one.
  Result<ConnectionBlob> compile(const FrozenConnection& frozen, const Handover& handover,
                                 const ConnectionRecord& record, Tenure next, NodeId source,
                                 Instant now) const;

  // Why a connection to `local` could not live here; else empty. Without an application it needs
  // somebody who finds one, unless it is kept.
  std::string objection(const std::string& application, bool kept, const Endpoint& local) const;
  // Validates everything, attaches, and binds if the application may have it already; silent. The
  // error names what is wrong.
  Result<FrozenConnection> infuse(const ConnectionBlob& blob, Duration held, Instant now);

 private:
  Stack& stack_;
  ApplicationHost& applications_;
};

}  // namespace migd
