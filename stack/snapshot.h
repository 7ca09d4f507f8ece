// TcpSnapshot: all that the stack knows of one connection, as plain values. No pointers into the
// stack, no clock readings (times are durations, relative to the capture), byte ranges instead of
// segments: the target cuts its own. stack/ledger.h says for every field of lwIP's tcp_pcb where
// it is found here or why it is not. How a snapshot is written as bytes is migrator/blob.h's
// business.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/seq.h"
#include "base/time.h"
#include "stack/recovery/state.h"

namespace migd {

enum class TcpState : std::uint8_t {
  kSynReceived,
  kEstablished,
  kCloseWait,
  kFinWait1,
  kFinWait2,
  kClosing,
  kLastAck,
  kTimeWait,
};
std::string_view to_string(TcpState state);  // "ESTABLISHED", as RFC 9293 writes them

struct TcpSnapshot {
  FourTuple tuple;
  TcpState state = TcpState::kEstablished;

  // ---- sending (RFC 9293 3.3.1) ----
  SeqNum send_unacknowledged;     // SND.UNA
  SeqNum send_next;               // SND.NXT; may count a FIN
  std::uint32_t send_window = 0;  // as scaled, in bytes
  std::uint32_t send_window_max = 0;
  SeqNum send_wl1, send_wl2;
  std::uint8_t send_scale = 0;
  Bytes send_data;  // from SND.UNA on: first what is in flight, then what is unsent
  std::uint32_t send_in_flight = 0;    // how many bytes of send_data have been sent
  std::vector<SentRange> sent;         // what is known of it; empty: nothing is
  std::optional<SeqNum> fin_sequence;  // set once our FIN is queued or sent
  std::uint32_t send_buffer_limit = 0;

  // ---- receiving ----
  SeqNum receive_next;          // RCV.NXT; counts the peer's FIN when that was received
  SeqNum announced_right_edge;  // never to be taken back
  std::uint8_t receive_scale = 0;
  std::uint32_t receive_window_limit = 0;  // the most the peer may have us hold
  Bytes unread;  // acknowledged, not consumed: the bytes before RCV.NXT (and FIN)
  bool peer_fin_received = false;
  struct OutOfOrder {
    SeqNum first;
    Bytes data;
    bool fin = false;
  };
  std::vector<OutOfOrder> out_of_order;  // disjoint, ascending
  struct SackBlock {
    SeqNum left, right;
  };
  std::vector<SackBlock> sack_blocks;  // as last announced, most recent first (RFC 2018 section 4)
  bool ack_pending = false;            // a delayed ACK was owed

  // ---- negotiated options, and no others ----
  std::uint16_t mss = 0;  // what the peer takes in one segment, options not counted; each node
                          // sends at most what its own link takes
  std::uint16_t announced_mss = 0;  // by our SYN/ACK, which may have to be repeated
  std::uint16_t path_mtu = 0;       // as routers told it; 0: not known to be less than the link's
  Duration path_mtu_age{};
  bool window_scaling = false;
  bool timestamps = false;
  bool sack = false;
  std::uint32_t ts_recent = 0;  // RFC 7323 TS.Recent
  SeqNum ts_last_ack_sent;
  Duration ts_recent_age{};    // for RFC 7323 5.5
  std::uint32_t ts_clock = 0;  // milliseconds; the TSval sent now is this without its low
                               // six bits (stack/timestamp_clock.h)
  Duration ts_clock_part{};    // of the next millisecond: many short stays must add up

  // ---- round trip, congestion, retransmission ----
  bool rtt_known = false;
  Duration srtt{}, rttvar{}, rto{};
  Duration timer_waited{};           // the retransmission timer (or, while probing, the persist
                                     // timer) has run for so long; it goes on, it is not restarted
  std::uint8_t retransmissions = 0;  // of the segment at SND.UNA, in a row
  std::uint8_t duplicate_acks = 0;
  std::uint32_t cwnd = 0, ssthresh = 0, cwnd_bytes_acked = 0;
  bool in_fast_recovery = false, in_rto_recovery = false;
  SeqNum recovery_end;  // of the last recovery
  RecoveryState recovery;
  CongestionState congestion;

  // ---- probes and timers ----
  std::uint8_t persist_backoff = 0;  // 0: not probing a zero window
  std::uint8_t persist_probes = 0;
  bool keepalive = false;
  Duration keepalive_idle{}, keepalive_interval{};
  std::uint32_t keepalive_count = 0;
  std::uint8_t keepalive_probes_sent = 0;
  Duration unacknowledged_for{};  // what waits has waited so long, without an acknowledgment
  Duration idle{};                // since the last segment from the peer
  Duration time_in_state{};       // for FIN_WAIT_2, LAST_ACK, TIME_WAIT, SYN_RCVD

  // ---- the socket and IP ----
  bool no_delay = true;
  bool read_closed = false;   // the application wants no more data
  bool write_closed = false;  // the application has ended its writing half
  std::uint8_t traffic_class = 0, hop_limit = 64;

  // ---- history ----
  std::uint64_t bytes_in = 0, bytes_out = 0;
  Duration age{};
  std::uint32_t retransmitted_segments = 0;
};

// Nothing is left to read or to write: the connection needs no application any more. It only sees
// to it that its end arrives, and then waits out TIME_WAIT.
bool application_done(const TcpSnapshot& snapshot);

}  // namespace migd
