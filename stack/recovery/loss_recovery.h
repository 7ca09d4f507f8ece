// The sender's half of a connection beyond sending in order: what was lost, when it is sent again,
// and how much may be in flight. lwIP keeps the queues and calls in here (patches 20 and 21).
//
// Theory of operation
//   A segment stays on the queue of the unacknowledged from its first sending until a cumulative
//   acknowledgment covers it; its marks (stack/recovery/marks.h) say what is known of it. Here are
//   the sums of them, in bytes, so that the flight is known without a walk:
//
//     in flight = outstanding - sacked - lost + resent     (RFC 6675, pipe)
//
//   In order, without loss, an ACK costs a few additions for each segment that it frees. Only what
//   comes with SACK blocks, or during a recovery, walks the queue.
//
//   with SACK     RACK (RFC 8985) finds losses: what was sent before something that was delivered.
//                 As long as the path was not seen to reorder, nothing is waited for once more than
//                 two segments' worth of bytes (RFC 6675; not ACKs: a receiver that gathers packets
//                 sends few) were delivered behind a gap.
//   without       three duplicate ACKs, and then each partial one (RFC 6582).
//   recovery      the window comes down by proportional rate reduction (RFC 6937).
//   tail          nothing comes back for two round trips: the last segment is sent again, or a new
//                 one (RFC 8985 7), so that the peer tells what is missing.
//   time-out      RFC 6298, by stack/pcb_timers.h; here is what follows. F-RTO (RFC 5682) sends new
//                 data first, to see whether it was one.
//   undo          stack/recovery/undo.h
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/packet.h"
#include "stack/lwip_headers.h"
#include "stack/recovery/congestion_control.h"
#include "stack/recovery/min_rtt.h"
#include "stack/recovery/prr.h"
#include "stack/recovery/rack.h"
#include "stack/recovery/state.h"
#include "stack/recovery/undo.h"
#include "stack/rtt_estimator.h"

namespace migd {

class LossRecovery {
 public:
  enum class Phase : std::uint8_t { kOpen, kFastRecovery, kTimeOut };

  // Options of a segment that lwIP is about to process.
  struct AckOptions {
    std::array<TcpOptions::SackBlock, 4> blocks{};
    std::size_t block_count = 0;
    std::optional<std::uint32_t> echo;  // of our timestamp
  };
  // What the ACK that is being processed says and has brought; nothing between two of them.
  struct Ack {
    AckOptions options;
    std::uint32_t delivered = 0;  // bytes that the peer was not known to have
    std::uint32_t segments = 0;   // that it has freed
    Duration rtt{};               // of the oldest segment that tells one; zero: none does
    Duration rtt_latest{};
    std::optional<Instant> rtt_sent_at;
    bool original = false;     // one that was sent once, and before recovery_end
    std::uint32_t sacked = 0;  // bytes of `delivered` that blocks told of
    std::optional<TcpOptions::SackBlock> duplicate;  // DSACK
  };

  // What it works on, at each call.
  struct At {
    tcp_pcb& pcb;
    RttEstimator& rtt;
    Instant now;
    Ack& ack;
  };

  explicit LossRecovery(CongestionAlgorithm algorithm) : congestion_(algorithm) {}

  // What it knows while nothing is under way and nothing was ever lost; the rest follows from the
  // PCB (stack/recovery/resting_recovery.h).
  struct Rest {
    MinRtt min_rtt;
    Instant last_sent{};
  };
  LossRecovery(CongestionAlgorithm algorithm, const Rest& rest, const tcp_pcb& pcb);
  bool at_rest(const tcp_pcb& pcb, CongestionAlgorithm algorithm) const;
  Rest rest() const { return {min_rtt_, last_sent_}; }

  // The handshake's first segment is about to leave.
  void begin(tcp_pcb& pcb);

  // ---- what lwIP tells ----
  // `timestamp`: the TSval that it carries.
  void on_segment_sent(const At& at, tcp_seg& segment, std::uint32_t timestamp);
  void on_segment_acked(const At& at, const tcp_seg& segment);
  // `acked`: by how much SND.UNA has advanced; the segments before it are gone.
  void on_ack(const At& at, std::uint32_t acked, bool duplicate);
  // Sends again what is lost, as far as the windows allow. Returns how far from SND.UNA on the
  // congestion window lets lwIP send.
  std::uint32_t output_window(const At& at);

  // ---- timers, beside the retransmission time-out, which comes at `time_out` (or kNever) ----
  Instant deadline(const tcp_pcb& pcb, const RttEstimator& rtt, Instant time_out) const;
  void on_deadline(const At& at);
  // `first`: of the segment at SND.UNA. What is lost is sent by the next tcp_output().
  void on_time_out(const At& at, bool first);
  // The path takes segments of at most `mss`: what is in flight and longer is lost. cut_anew() is
  // next, and recount().
  void on_too_big(tcp_pcb& pcb, std::uint16_t mss);
  void recount(const tcp_pcb& pcb);
  // Frozen until now: what was due waits for what came meanwhile.
  void resume(Instant now);

  Phase phase() const { return phase_; }
  SeqNum recovery_end() const { return recovery_end_; }
  std::uint32_t in_flight(const tcp_pcb& pcb) const;

  // ---- moving ----
  void capture(Instant now, RecoveryState& recovery, CongestionState& congestion) const;
  static std::vector<SentRange> capture_sent(const tcp_pcb& pcb, Instant now);
  // `pcb` is complete: the marks of its segments are summed up here.
  void restore(const tcp_pcb& pcb, Phase phase, SeqNum recovery_end, const RecoveryState& recovery,
               const CongestionState& congestion, Instant captured_at);

 private:
  static std::uint32_t outstanding(const tcp_pcb& pcb);
  std::uint32_t credit_of_duplicates(const tcp_pcb& pcb) const;
  CongestionWindow window_of(tcp_pcb& pcb) const;

  void deliver(const At& at, const tcp_seg& segment);
  void take_blocks(const At& at);
  void take_duplicate(const At& at);
  void mark_sacked(const At& at, SeqNum left, SeqNum right);
  void mark_lost(tcp_seg& segment);
  void unmark_lost(tcp_pcb& pcb);
  void forget_sacks(tcp_pcb& pcb);

  void sample_round_trip(const At& at);
  bool find_losses(const At& at);  // true: there are new ones
  bool find_losses_by_rack(const At& at);
  void enter_fast_recovery(const At& at, std::uint32_t acked);
  void in_fast_recovery(const At& at, std::uint32_t acked, bool new_losses);
  void after_time_out(const At& at, std::uint32_t acked);
  void end_recovery(const At& at);
  bool undo(const At& at);
  void grow(const At& at, std::uint32_t acked, std::uint32_t flight_before);

  Duration probe_after(const tcp_pcb& pcb, const RttEstimator& rtt) const;
  bool may_probe(const tcp_pcb& pcb) const;
  void probe(const At& at);
  void end_probe(const At& at, bool duplicate);

  void resend(const At& at);
  void restart_after_idle(const At& at);

  Phase phase_ = Phase::kOpen;
  SeqNum recovery_end_;  // SND.NXT when the last recovery began (RFC 6582, recover)
  std::uint32_t sacked_ = 0, lost_ = 0, resent_ = 0;

  CongestionControl congestion_;
  Rack rack_;
  Prr prr_;
  MinRtt min_rtt_;
  Undo undo_;
  std::uint8_t frto_step_ = 0;       // RFC 5682 2.1: 1 sent the first, 2 sent new data
  std::optional<SeqNum> probe_end_;  // SND.NXT when a probe was sent that is not answered yet
  bool probe_repeated_ = false;      // it had been sent before
  bool time_out_due_ = false;        // the first segment leaves whatever the windows say
  SeqNum limited_until_;
  Instant reordering_until_ = kNever;  // then what is late is lost
  Instant probe_from_{};
  Instant last_sent_{};
  Instant last_sample_{};
};

}  // namespace migd
