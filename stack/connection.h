// The socket layer: a Connection is one TCP connection of this node, with back-pressure in both
// directions, half-close, abort, and migrate().
//
// Rights by phase:
//   unbound   no handler; received data waits (and fills the window); nothing is written.
//   bound     a handler is told of events and may read, write, close.
//   frozen    the migrator has it (FrozenConnection). Reading, writing and closing are programming
//             errors; the handler hears on_frozen, and then on_thawed or on_closed(kMigrated).
//   closed    the handler has heard on_closed; the object is gone when that call returns.
//
// Events are delivered by Stack::deliver_events(), never from inside lwIP, so a handler may call
// anything here except the destruction of the stack.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/connection_reference.h"
#include "base/ids.h"
#include "base/messages.h"
#include "base/result.h"
#include "stack/snapshot.h"

namespace migd {

class Connection;

// Why a connection cannot move now: each has a name, which is shown and counted.
enum class Blocker : std::uint16_t {
  kAppBusy = 1 << 0,            // the application is in the middle of something only it can finish
  kForwardedTooOften = 1 << 1,  // from node to node, and no application has had it
  kMoving = 1 << 2,             // a migration is under way
  kBlobTooLarge = 1 << 3,
  kNoForwarder = 1 << 4,     // none is reachable that could change the mapping
  kStaleEpoch = 1 << 5,      // not the owner that the asker means
  kAlreadyHere = 1 << 6,     // the target is this node
  kTargetUnknown = 1 << 7,   // no peer
  kTargetDown = 1 << 8,      // no session with it
  kTargetNoFamily = 1 << 9,  // it has no tunnel address of the connection's family
  kNoTarget = 1 << 10,       // nobody is there to take it; when no target is named
};
inline constexpr int kBlockerCount = 11;

// A set of them; empty: it can move.
class Blockers {
 public:
  constexpr Blockers() = default;
  constexpr Blockers(Blocker blocker)  // NOLINT(google-explicit-constructor): one is a set
      : bits_(static_cast<std::uint16_t>(blocker)) {}

  constexpr bool empty() const { return bits_ == 0; }
  constexpr bool has(Blocker blocker) const {
    return (bits_ & static_cast<std::uint16_t>(blocker)) != 0;
  }
  constexpr Blockers& operator|=(Blockers other) {
    bits_ |= other.bits_;
    return *this;
  }
  constexpr Blockers without(Blockers other) const {
    Blockers left = *this;
    left.bits_ &= static_cast<std::uint16_t>(~other.bits_);
    return left;
  }
  friend constexpr Blockers operator|(Blockers a, Blockers b) { return a |= b; }
  constexpr bool operator==(const Blockers&) const = default;

  std::vector<std::string_view> names() const;  // in the order above
  std::string to_string() const;                // "app_busy,moving", "" when it can move

 private:
  std::uint16_t bits_ = 0;
};
constexpr Blockers operator|(Blocker a, Blocker b) {
  return Blockers(a) | Blockers(b);
}

// What uses a connection: a session of an application, or the classifier.
class ConnectionHandler {
 public:
  virtual ~ConnectionHandler() = default;

  virtual void on_readable(Connection& connection) = 0;     // more unread data than before
  virtual void on_writable(Connection& connection) = 0;     // write() will take bytes again
  virtual void on_peer_closed(Connection& connection) = 0;  // FIN; unread data may still be there
  virtual void on_closed(Connection& connection, CloseReason reason) = 0;

  // Migration, called by the shim (the stack calls none of these). What only the application knows
  // must travel as bytes that the target's application of that name understands; capture_state()
  // changes nothing.
  virtual Blockers blockers() const { return {}; }
  virtual Bytes capture_state() const { return {}; }
  virtual void on_frozen(Connection& /*connection*/) {}
  virtual void on_thawed(Connection& /*connection*/) {}  // as if nothing had happened
};

class Connection {
 public:
  virtual ~Connection() = default;

  virtual const ConnectionId& id() const = 0;
  virtual Epoch epoch() const = 0;
  virtual void set_epoch(Epoch epoch) = 0;  // the migrator's alone
  virtual const FourTuple& tuple() const = 0;
  virtual const std::string& service() const = 0;
  virtual TcpState state() const = 0;
  virtual ConnectionReference reference() const = 0;
  virtual bool frozen() const = 0;

  // The name of the application that has it; empty while it is unbound or being classified.
  virtual const std::string& application() const = 0;
  virtual void bind(std::string application, ConnectionHandler* handler) = 0;  // handler not owned
  virtual ConnectionHandler* handler() const = 0;
  // Nothing is left for an application to read or to write; its on_closed may still be to come.
  virtual bool application_done() const = 0;

  // ---- reading: what was received in order and not consumed ----
  virtual std::size_t readable() const = 0;
  virtual std::size_t peek(std::size_t offset, MutableBytes out) const = 0;  // returns bytes copied
  // The longest contiguous piece at the front; valid until the next consume() or event.
  virtual ByteView peek_front() const = 0;
  virtual void consume(std::size_t n) = 0;  // opens the window again
  virtual bool peer_closed() const = 0;     // FIN received
  // The most unconsumed bytes that the peer may have us hold: no window was ever announced larger.
  virtual std::uint32_t receive_window() const = 0;
  // For a handler that has read much and leaves the rest for later: on_readable comes again, after
  // the peer was told of the room that there is now.
  virtual void read_later() = 0;
  // Paused: nothing is there to be read, and no end to be seen. What comes waits, and fills the
  // window, whose right edge stays where it is; the stack goes on acknowledging and answering
  // probes.
  virtual void pause_reading(bool paused) = 0;

  // ---- writing ----
  // Bytes write() takes now. It becomes 0 when the send buffer is full or enough is unsent already
  // (so that a migration has little to carry); on_writable follows when that changes.
  virtual std::size_t writable() const = 0;
  virtual std::size_t write(ByteView bytes) = 0;  // copies; returns how many it took
  // Paused: writable() is 0, and what was written drains. The migrator's, before it freezes; ends
  // with the next thaw, or the connection, at the latest. So does pause_reading().
  virtual void pause_writing(bool paused) = 0;
  virtual std::size_t unsent() const = 0;
  virtual std::size_t unacknowledged() const = 0;

  // ---- ending ----
  virtual void shutdown_write() = 0;  // FIN after what was written; reading goes on
  virtual void close() = 0;           // FIN, and received data is no longer wanted
  virtual void abort() = 0;           // RST

  // Asks for a move to `target`, where `application` (empty: the one of the same name) receives
  // `state`. The answer is the handler's on_closed(kMigrated) or on_thawed; an error means that
  // nothing has happened.
  virtual Result<void> migrate(NodeId target, std::string application, Bytes state) = 0;

  virtual std::uint64_t bytes_in() const = 0;
  virtual std::uint64_t bytes_out() const = 0;
  virtual Duration age() const = 0;  // since the SYN was answered, wherever that was
  // Round trips to the client, zero when not known: smoothed (RFC 6298), which contains what waits
  // in queues, and the least of the last minutes, which is the way alone.
  virtual Duration smoothed_rtt() const = 0;
  virtual Duration least_rtt() const = 0;
  // When the first segment left, or came in, after it was opened or attached here.
  virtual std::optional<Instant> first_sent() const { return std::nullopt; }
  virtual std::optional<Instant> first_heard() const { return std::nullopt; }
};

// Who hears of new connections of a listener, or of unbound ones that came in from elsewhere. Both
// calls are for connections that no application has.
class AcceptHandler {
 public:
  virtual ~AcceptHandler() = default;
  virtual void on_syn_answered(Connection& /*connection*/) {}  // SYN_RCVD, unbound
  virtual void on_established(Connection& connection) = 0;     // handshake complete
};

// Who hears of every connection's beginning and end, bound or not. The handler's on_closed comes
// when both directions are done; on_gone comes when the tuple is free (after TIME_WAIT, or when the
// connection was released), right before the object dies.
class ConnectionObserver {
 public:
  virtual ~ConnectionObserver() = default;
  virtual void on_opened(Connection& /*connection*/) {}  // SYN answered, or attached
  virtual void on_gone(Connection& connection, CloseReason reason) = 0;
};

// The seam through which migrate() reaches the migrator.
class MigrationService {
 public:
  virtual ~MigrationService() = default;
  virtual Result<void> migrate(Connection& connection, NodeId target, std::string application,
                               Bytes state) = 0;
};

// The seam through which the shim and the classifier bind connections to applications.
class ApplicationHost {
 public:
  virtual ~ApplicationHost() = default;
  virtual bool knows(std::string_view application) const = 0;
  // A fresh connection (its unread data is waiting), or, when `restored`, one that comes with the
  // state its application captured elsewhere. An error leaves the connection unbound. When the
  // connection is frozen (it has just come in), attach() validates the state, opens what it needs
  // and binds; it neither reads nor writes before on_thawed(), and on_closed() may come instead.
  virtual Result<void> attach(Connection& connection, std::string_view application, ByteView state,
                              bool restored) = 0;
};

}  // namespace migd
