// Stack: one TCP/IP stack instance around lwIP.
//
// Theory of operation
//   A process may hold many instances (the simulator does). lwIP is a library with global state, so
//   every entry into it goes through two guards: InstanceScope switches the few globals that matter
//   (netif, tick counter, settings, scratch PCB lists), and AssertionGuard turns a failed assertion
//   inside lwIP into a return value: C frames are unwound, lwIP's scratch state is reset, and the
//   PCB that was being served is quarantined, so that it costs one connection.
//
//   PCBs live in our own table, keyed by a keyed hash of the four-tuple; lwIP's lists hold at most
//   the one PCB being served. So a packet costs the same with one connection as with a million.
//   Timers are ours as well (base/timer_wheel.h): after each entry the connection's next deadline
//   is read off its PCB and armed.
//
//   Nothing but time happens to most connections in TIME_WAIT: they are kept as records, a third as
//   large, and are connections again for as long as a packet or a question wants one
//   (stack/time_wait_record.h).
//
//   Engine: no file descriptor, no clock, no randomness of its own. input() takes a frame,
//   on_deadline() the time; frames leave through the FrameSink given at construction; everything
//   that concerns the socket layer is queued and delivered by deliver_events().
//
//   Freezing parks a connection: no segment leaves, no timer runs, no event is delivered, and input
//   hands its frames back. A FrozenConnection is the only right to capture, and it ends in exactly
//   one of thaw() and release(). Attaching a snapshot yields a FrozenConnection too: a connection
//   that comes in is one that was frozen elsewhere.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/drop_reason.h"
#include "base/frame.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/siphash.h"
#include "stack/connection.h"
#include "stack/link.h"
#include "stack/snapshot.h"

namespace migd {

struct StackOptions {
  NodeId node;
  Boot boot;
  LinkCapabilities link;
  KnownFlows* known_flows = nullptr;  // is told of each connection; null: nobody asks
  // Of a connection, bytes. The receive window begins with ReceiveGrowth::kBegin, and grows.
  std::uint32_t window = 1u << 20;              // bound of the receive window
  std::uint32_t send_buffer = 1u << 20;         // send buffer limit of a connection, bytes
  std::uint32_t unsent_low_water = 128u << 10;  // writable() is 0 while this much is unsent
  bool timestamps = true;
  bool sack = true;
  bool window_scaling = true;
  Duration keepalive_idle = Duration::zero();  // zero: off
  // What the announced MSS leaves free, for packets to us that nodes encapsulate.
  std::uint16_t mss_reserve = limits::kEncapsulationMax;
  Duration min_rto = 200ms;
  CongestionAlgorithm congestion_control = CongestionAlgorithm::kCubic;
  Duration delayed_ack = 40ms;
  Duration fin_wait_2 = 60s;
  Duration time_wait = 60s;
  // What was written and not acknowledged for so long ends the connection. Zero: only silence does.
  Duration user_timeout = Duration::zero();
  std::uint16_t backlog = 1024;  // half-open connections of a listener; 0: none is kept
  bool syn_cookies = true;       // answer SYNs beyond the backlog (stack/syn_cookies.h)
  std::uint32_t connections_max = limits::kConnectionsMax;
  std::uint64_t memory = 1u << 30;  // bytes that all connections may keep (stack/memory_budget.h)
};

class Stack;

// The right to capture a parked connection. Must end in Stack::thaw() or Stack::release(); its
// destructor CHECKs that it did.
class FrozenConnection {
 public:
  FrozenConnection(FrozenConnection&& other) noexcept
      : connection_(std::exchange(other.connection_, nullptr)) {}
  FrozenConnection& operator=(FrozenConnection&& other) = delete;
  FrozenConnection(const FrozenConnection&) = delete;
  ~FrozenConnection();
  Connection& connection() const { return *connection_; }

 private:
  friend class Stack;
  explicit FrozenConnection(Connection* connection) : connection_(connection) {}
  Connection* connection_;
};

struct ConnectionCounts {
  std::uint32_t total = 0;
  std::uint32_t resting = 0;  // in TIME_WAIT, and little more than remembered
  std::uint32_t half_open = 0;
  std::uint32_t frozen = 0;
  std::uint64_t memory = 0;  // bytes that they keep
};

class Stack {
 public:
  // `output` takes the IP packets that leave; it outlives the stack.
  static std::unique_ptr<Stack> create(const StackOptions& options, FrameSink& output,
                                       std::shared_ptr<FramePool> pool, Rng& rng, Metrics& metrics,
                                       Instant now);
  virtual ~Stack() = default;

  // ---- packets ----
  enum class InputVerdict {
    kTaken,         // consumed, or dropped and counted
    kFrozen,        // belongs to a frozen connection: `frame` is left with the caller
    kNoConnection,  // no connection and no listener takes it: `frame` is left with the caller
  };
  // An IP packet for one of our VIPs, restored to the addresses the client used.
  virtual InputVerdict input(Frame& frame, Instant now) = 0;
  // For a packet that input() has left, and that follows no tombstone: when it completes a
  // handshake that was answered with a SYN cookie, the connection is opened. True: as kTaken.
  virtual bool complete_handshake(Frame& frame, Instant now) = 0;
  // The connection a kFrozen verdict was about, or any other of this tuple. One in TIME_WAIT that
  // no application has, and that is not frozen, is valid until the next deliver_events() only.
  virtual Connection* find(const FourTuple& tuple) = 0;
  virtual Connection* find(const ConnectionId& id) = 0;
  // The connection that the reference was made of, not merely one with the same name or tuple.
  virtual Connection* find(const ConnectionReference& reference) = 0;
  virtual void for_each(const std::function<void(Connection&)>& visit) = 0;
  virtual ConnectionCounts counts() const = 0;
  // How many more connections it takes; so many of them are kept for those that have been promised
  // room, until the next call: whoever attaches one of these calls first.
  virtual std::uint32_t room() const = 0;
  virtual void reserve(std::uint32_t connections) = 0;

  // ---- time and events ----
  virtual Instant next_deadline() const = 0;
  virtual void on_deadline(Instant now) = 0;
  // Calls handlers until no event is left, then sends what they wrote. The composition root calls
  // it after each batch of input, each deadline and each dispatch of the bus.
  virtual void deliver_events(Instant now) = 0;
  // Sends what has been written, and tells nobody anything: not all of it need wait for the rest of
  // a batch.
  virtual void send_written(Instant now) = 0;

  // ---- listeners ----
  // New connections of `local` are announced to `handler` (not owned). The same port of several
  // addresses is several listeners.
  virtual Result<void> listen(const Endpoint& local, std::string service,
                              AcceptHandler* handler) = 0;
  // Whom a listener of `local` announces its connections to; null: none listens.
  virtual AcceptHandler* acceptor(const Endpoint& local) = 0;
  // Connections that were attached are announced to it (not owned) instead, once they are thawed
  // and established, when no application has them.
  virtual void set_arrival_handler(AcceptHandler* handler) = 0;

  // ---- migration ----
  virtual void set_migration_service(MigrationService* service) = 0;
  virtual void set_observer(ConnectionObserver* observer) = 0;
  virtual FrozenConnection freeze(Connection& connection, Instant now) = 0;
  // All of the connection's state; changes nothing, so it may be called again.
  virtual TcpSnapshot capture(const FrozenConnection& frozen, Instant now) const = 0;
  // Puts a connection in, frozen: no segment leaves and nothing is bound. Every field is validated
  // before any is used; refusals name the rule that was broken. `held` is how long ago the
  // snapshot was captured, as far as that is known.
  virtual Result<FrozenConnection> attach(const TcpSnapshot& snapshot, const Tenure& tenure,
                                          std::string service, Duration held, Instant now) = 0;
  // Active, with timers running and events flowing. Frames held for it are input() after this and
  // before the next deliver_events(), which then sends what can be sent. An ACK that was owed
  // leaves then too, unless a segment has said it already; an ACK that says nothing new never does:
  // it would be a duplicate to the peer.
  virtual void thaw(FrozenConnection frozen, Instant now) = 0;
  // Gone without a segment. The handler hears on_closed(reason).
  virtual void release(FrozenConnection frozen, CloseReason reason) = 0;

  // Aborts every connection that is not frozen (RST each), releases the frozen ones silently.
  virtual void shut_down(Instant now) = 0;

  virtual const DropCounters& drops() const = 0;

 protected:
  static FrozenConnection grant(Connection& connection) { return FrozenConnection(&connection); }
  static Connection& redeem(FrozenConnection& frozen) {
    return *std::exchange(frozen.connection_, nullptr);
  }
};

}  // namespace migd
