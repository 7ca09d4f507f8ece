// The Connection implementation: one lwIP PCB and what lwIP does not keep.
//
// Life: made when a SYN is answered (or a snapshot attached); `pcb_` is null once lwIP has freed
// the PCB, which is when the TCP connection is over. The object stays until its events are
// delivered and what was received before the end is read.
#pragma once

#include <cstdint>
#include <string>

#include "base/timer_wheel.h"
#include "stack/acceptability.h"
#include "stack/connection.h"
#include "stack/lwip_headers.h"
#include "stack/pcb_timers.h"
#include "stack/receive_growth.h"
#include "stack/receive_queue.h"
#include "stack/recovery/resting_recovery.h"
#include "stack/timestamp_clock.h"

namespace migd {

class StackImpl;
class TcpConnection;
namespace test {
struct PcbAccess;
}

// All of the connection's state as a snapshot; changes nothing (stack/pcb_capture.cc).
TcpSnapshot capture_connection(const TcpConnection& connection, Instant now);

// A local endpoint that takes connections. lwIP sees only `pcb`.
struct Listener {
  tcp_pcb_listen pcb{};
  StackImpl* stack = nullptr;
  Endpoint local;
  const std::string* service = nullptr;
  AcceptHandler* handler = nullptr;
  std::uint32_t half_open = 0;
};

// What waits to be told by deliver_events(), in this order.
struct ConnectionEvents {
  bool opened : 1 = false;
  bool syn_answered : 1 = false;
  bool established : 1 = false;
  bool readable : 1 = false;
  bool peer_closed : 1 = false;
  bool writable : 1 = false;
  bool closed : 1 = false;  // for the handler
  bool gone : 1 = false;    // for the observer; the object dies
  bool rest : 1 = false;    // for nobody: it may be that it can rest

  bool any() const {
    return opened || syn_answered || established || readable || peer_closed || writable || closed ||
           gone || rest;
  }
};

class TcpConnection final : public Connection, private TimerWheel::Node {
 public:
  TcpConnection(StackImpl& stack, tcp_pcb* pcb, const FourTuple& tuple, const Tenure& tenure,
                const std::string* service);
  ~TcpConnection() override;

  const ConnectionId& id() const override { return id_; }
  Epoch epoch() const override { return epoch_; }
  void set_epoch(Epoch epoch) override { epoch_ = epoch; }
  const FourTuple& tuple() const override { return tuple_; }
  const std::string& service() const override { return *service_; }
  TcpState state() const override;
  ConnectionReference reference() const override;
  bool frozen() const override { return frozen_; }

  const std::string& application() const override { return *application_; }
  void bind(std::string application, ConnectionHandler* handler) override;
  ConnectionHandler* handler() const override { return handler_; }
  bool application_done() const override;

  std::size_t readable() const override { return reading_paused_ ? 0 : received_.size(); }
  std::size_t peek(std::size_t offset, MutableBytes out) const override;
  ByteView peek_front() const override { return reading_paused_ ? ByteView() : received_.front(); }
  void consume(std::size_t n) override;
  bool peer_closed() const override { return peer_closed_ && !reading_paused_; }
  std::uint32_t receive_window() const override { return receive_window_limit_; }
  void read_later() override;
  void pause_reading(bool paused) override;

  std::size_t writable() const override;
  std::size_t write(ByteView bytes) override;
  void pause_writing(bool paused) override;
  std::size_t unsent() const override;
  std::size_t unacknowledged() const override;

  void shutdown_write() override;
  void close() override;
  void abort() override;

  Result<void> migrate(NodeId target, std::string application, Bytes state) override;

  std::uint64_t bytes_in() const override { return bytes_in_; }
  std::uint64_t bytes_out() const override { return bytes_out_; }
  Duration age() const override;
  Duration smoothed_rtt() const override { return timers_.rtt().srtt(); }
  Duration least_rtt() const override { return recovery_.least_rtt(); }
  std::optional<Instant> first_sent() const override { return unless_never(first_sent_); }
  std::optional<Instant> first_heard() const override { return unless_never(first_heard_); }

  bool alive() const { return pcb_ != nullptr; }

 private:
  friend class StackImpl;
  friend struct test::PcbAccess;  // damages PCBs to see what an assertion costs
  friend TcpSnapshot capture_connection(const TcpConnection& connection, Instant now);

  static std::optional<Instant> unless_never(Instant at) {
    return at == kNever ? std::nullopt : std::optional(at);
  }
  TimerWheel::Node& timer() { return *this; }

  bool takes_data() const;              // the state lets the application write
  std::size_t segment_payload() const;  // of a full-sized segment
  std::uint64_t queued() const;         // to be sent, or acknowledged
  void count_out_of_order();            // only what comes in changes it
  std::uint64_t memory_to_write() const;
  void forget_old_path_mtu();
  void signal_writable();
  void finish_if_read();  // the handler hears the end once nothing is left to read

  StackImpl& stack_;
  tcp_pcb* pcb_;
  TcpConnection* next_event_ = nullptr;    // list of connections with events
  TcpConnection* previous_all_ = nullptr;  // list of all connections of the stack
  TcpConnection* next_all_ = nullptr;
  ConnectionHandler* handler_ = nullptr;
  const std::string* service_;
  const std::string* application_;
  Listener* listener_ = nullptr;  // who is told of the accepted connection; may be null

  // Of idle connections this is what a node's memory goes into: what is small stands together.
  FourTuple tuple_;
  ConnectionId id_;
  Epoch epoch_;
  std::uint32_t retransmitted_segments_ = 0;

  ReceiveQueue received_;
  PcbTimers timers_;
  RestingRecovery recovery_;
  TimestampClock ts_clock_;
  Instant opened_at_{};
  Instant first_sent_ = kNever, first_heard_ = kNever;

  SeqNum write_end_;                 // sequence number behind the last byte that was written
  std::uint32_t consumed_ = 0;       // by the application, and lwIP not told yet
  std::uint16_t peer_mss_ = 0;       // as the peer has announced it; the PCB's fits our link too
  std::uint16_t announced_mss_ = 0;  // by the SYN/ACK
  std::uint16_t path_mtu_ = 0;       // 0: not known to be less than the link's
  std::uint8_t quick_acks_ = 0;      // segments that are acknowledged at once
  Instant path_mtu_at_{};            // when it was learnt
  std::uint32_t receive_window_limit_ = 0;
  std::uint32_t send_buffer_limit_ = 0;
  std::uint32_t out_of_order_segments_ = 0, out_of_order_bytes_ = 0;
  std::uint64_t kept_ = 0;  // bytes, as the stack's budget has them
  ReceiveGrowth receive_growth_;
  TcpSnapshot::SackBlock duplicate_{};  // of the segment that is processed (RFC 2883)
  ChallengeBudget challenges_;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;

  ConnectionEvents events_;
  TcpState last_state_ = TcpState::kSynReceived;
  CloseReason reason_ = CloseReason::kFinished;
  bool frozen_ : 1 = false;
  bool half_open_ : 1 = false;  // counted by the listener, or by who stands in for one
  bool hashed_ : 1 = false;     // in the table
  bool event_queued_ : 1 = false;
  bool touched_ : 1 = false;  // tcp_output() is due at the end of deliver_events()
  bool peer_closed_ : 1 = false;
  bool read_closed_ : 1 = false;  // close() was called
  // Somebody has found writable() to be 0: on_writable is owed.
  mutable bool write_blocked_ : 1 = false;
  bool writing_paused_ : 1 = false;
  bool reading_paused_ : 1 = false;
  bool finished_ : 1 = false;     // both directions are done
  bool closed_told_ : 1 = false;  // on_closed was queued or delivered
  bool reason_known_ : 1 = false;
  bool ack_owed_ : 1 = false;  // thawed: one ACK, unless a segment says it
  bool ack_soon_ : 1 = false;  // received more than a segment at once
  bool quarantined_ : 1 = false;
  bool arrived_ : 1 = false;  // attached: it came in from elsewhere
};

}  // namespace migd
