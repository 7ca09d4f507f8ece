// The simulator's own TCP, independent of the daemon and of lwIP: simple, strict, and counting
// everything. Clients are made of it; so is the toy server that the checkers are tested with.
//
//   written bytes -> TcpSend -> segments -> output()
//   on_segment()  -> TcpReceive -> received()
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "base/event_loop.h"
#include "tests/sim/segment.h"
#include "tests/sim/tcp_receive.h"
#include "tests/sim/tcp_send.h"

namespace migd::sim {

struct TcpConfig {
  Endpoint local, remote;
  std::uint16_t mss = 1440;  // announced; what the path takes
  std::optional<std::uint8_t> window_scale = 7;
  bool timestamps = true;
  bool sack = true;
  std::uint32_t receive_buffer = 256u << 10;
  Duration delayed_ack = 40ms;  // zero: each segment is acknowledged at once
  Duration min_rto = 200ms;
  std::uint32_t initial_sequence = 1;
  std::uint32_t timestamp_origin = 1;
};

struct TcpCounters {
  std::uint64_t segments_sent = 0, segments_received = 0;
  std::uint64_t retransmissions = 0, timeouts = 0, fast_retransmits = 0;
  std::uint64_t duplicate_acks_received = 0, duplicate_acks_sent = 0;
  std::uint64_t out_of_order = 0, duplicate_data = 0, holes_filled = 0;
  std::uint64_t zero_window_probes = 0, challenge_acks = 0;
  // What a correct peer never causes:
  std::uint64_t resets = 0, late_syns = 0, outside_window = 0, contradicting_data = 0;
  std::uint64_t paws_drops = 0;  // old duplicates are dropped so, too, when the net repeats packets
  std::uint64_t missing_timestamps = 0, unacceptable_acks = 0, oversized = 0;
};

class Tcp {
 public:
  enum class State { kClosed, kListen, kSynSent, kSynReceived, kOpen, kDone, kReset, kTimedOut };
  using Output = std::function<void(Bytes packet)>;

  Tcp(const TcpConfig& config, EventLoop& loop, Output output);

  void connect();
  void listen() { state_ = State::kListen; }  // takes the first SYN that comes
  void on_segment(const Segment& segment);

  void write(ByteView bytes);
  void shutdown_write();
  void abort();                 // RST
  void set_reading(bool on);    // on: all that comes is read at once (the default)
  void read(std::size_t most);  // while reading is off

  State state() const { return state_; }
  bool peer_finished() const { return receive_.finished(); }
  bool ended() const {
    return state_ == State::kDone || state_ == State::kReset || state_ == State::kTimedOut;
  }
  const Bytes& received() const { return receive_.stream(); }
  const Bytes& written() const { return send_.data(); }
  const TcpSend& sender() const { return send_; }
  const TcpReceive& receiver() const { return receive_; }
  const TcpCounters& counters() const { return counters_; }
  const TcpConfig& config() const { return config_; }
  Duration age() const { return loop_.now() - opened_at_; }

  // Called when anything changed that a user may wait for.
  void set_on_change(std::function<void()> on_change) { on_change_ = std::move(on_change); }

  void renege() { receive_.renege(); }  // a bug to plant: forgets what it holds out of order

 private:
  void on_handshake(const Segment& segment);
  void negotiate(const Segment& syn);
  bool acceptable(const Segment& segment);
  bool handle_reset_and_syn(const Segment& segment);
  void handle_ack(const Segment& segment);
  void handle_data(const Segment& segment);
  void finish_input();

  Segment blank(std::uint64_t offset, std::uint8_t flags);
  void emit(Segment& segment);
  void send_syn();
  void send_ack();
  void pump();
  void rearm();
  void on_retransmit_timer();
  void on_ack_timer();
  void end(State state);

  std::uint32_t clock_ticks() const;
  std::uint64_t peer_offset(std::uint32_t seq) const;
  std::uint32_t peer_seq(std::uint64_t offset) const {
    return peer_isn_ + static_cast<std::uint32_t>(offset);
  }

  TcpConfig config_;
  EventLoop& loop_;
  Output output_;
  std::function<void()> on_change_;
  std::unique_ptr<Timer> retransmit_timer_, ack_timer_;

  State state_ = State::kClosed;
  TcpSend send_;
  TcpReceive receive_;
  TcpCounters counters_;
  bool reading_ = true;
  Instant opened_at_{};

  bool timestamps_ = false, sack_ = false, scaling_ = false;
  std::uint8_t peer_scale_ = 0;
  std::uint32_t peer_isn_ = 0;
  std::uint32_t ts_recent_ = 0;
  std::uint64_t last_ack_sent_ = 0;
  int syn_tries_ = 0;
  int probe_backoff_ = 0;

  bool ack_now_ = false;
  int segments_unacked_ = 0;
  std::optional<std::pair<std::uint64_t, Instant>> timed_;  // without timestamps: one RTT sample
};

}  // namespace migd::sim
