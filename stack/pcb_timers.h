// The timers of one connection, written from the RFCs; lwIP's own (tcp_tmr) never run.
//
// lwIP marks in the PCB that a timer runs or has begun anew; here is when, in the resolution of the
// clock, and what follows. after() is called when lwIP has returned from an entry that before() has
// seen off: what changed in between says which timers began. deadline() is what to arm, and
// expire() does what is due. A connection with nothing to wait for has no deadline and costs
// nothing.
//
//   retransmission   RFC 6298, from the first byte in flight; doubled up to 60 s, given up after
//                    kRetransmissionsMax in a row (a SYN/ACK: after kSynAckRetransmissionsMax)
//   loss recovery    those of stack/recovery/loss_recovery.h
//   persist          RFC 9293 3.8.6.1, while a closed window stops all sending; doubled up to 60 s,
//                    for ever as long as the peer answers
//   delayed ACK      RFC 9293 3.8.6.3
//   keep-alive       RFC 9293 3.8.4, when it is on
//   user time-out    RFC 9293 3.10.8, when it is on: what was written waits, and nothing of it is
//                    acknowledged, whatever the peer answers
//   black hole       RFC 4821 7.7: time-outs in a row of a segment that a narrower path would lose
//                    without a word; in smaller segments it is sent again
//   FIN_WAIT_2       once nobody here wants to receive; and TIME_WAIT
//
// Out-of-order data has no timer: what was acknowledged selectively is kept.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "stack/lwip_headers.h"
#include "stack/recovery/resting_recovery.h"
#include "stack/rtt_estimator.h"

namespace migd {

struct TimerLimits {
  Duration min_rto;
  Duration delayed_ack;
  Duration fin_wait_2;
  Duration time_wait;
  Duration user_timeout;  // zero: off
};

// What of a PCB an entry may change.
struct PcbMark {
  tcp_state state;
  std::uint32_t lastack;
  std::uint32_t ts_recent;
  std::uint8_t persist_backoff;
  bool ack_delayed;
  bool close_pending;
  bool nothing_waits;  // to be sent or acknowledged
};

class PcbTimers {
 public:
  static constexpr std::uint8_t kRetransmissionsMax = 15;
  static constexpr std::uint8_t kSynAckRetransmissionsMax = 5;
  static constexpr std::uint8_t kPersistProbesMax = 15;  // unanswered, in a row
  // So many time-outs in a row may mean a black hole, and so many more that it was a smaller one.
  static constexpr std::uint8_t kBlackHoleTimeOuts = 3;
  static constexpr std::uint8_t kBlackHoleMoreTimeOuts = 3;

  void begin(Instant now, const TimerLimits& limits);

  static PcbMark before(const tcp_pcb& pcb);
  void after(const PcbMark& mark, tcp_pcb& pcb, Instant now, const TimerLimits& limits);

  Instant deadline(const tcp_pcb& pcb, const RestingRecovery& recovery,
                   const TimerLimits& limits) const;
  enum class Outcome {
    kGoesOn,
    kFinished,  // TIME_WAIT is over
    kTimedOut,  // nobody is there any more
    kUnheard,   // as before, and a RST says so (keep-alive, user time-out)
    kTooBig,    // it may be that the path does not take the segment at SND.UNA, which is lost now
  };
  // Inside lwIP. Only for kGoesOn has it sent anything.
  Outcome expire(tcp_pcb& pcb, RestingRecovery& recovery, Instant now, const TimerLimits& limits);

  // While the connection is frozen nothing runs; what waits goes on waiting after the thaw, so that
  // a connection that moves all the time still retransmits in time.
  void pause(Instant now);
  void resume(Instant now);
  Duration waited(const tcp_pcb& pcb) const;  // paused: what a snapshot tells
  void heard_from_peer(Instant now) { last_heard_ = now; }
  void orphaned(Instant now) { state_since_ = now; }  // nobody here wants to receive any more

  RttEstimator& rtt() { return rtt_; }
  const RttEstimator& rtt() const { return rtt_; }
  Duration rto() const { return rto_; }
  std::uint8_t retransmissions() const { return retransmissions_; }
  Instant state_since() const { return state_since_; }
  Instant last_heard() const { return last_heard_; }
  // For how long what waits has waited, and nothing of it was acknowledged; paused.
  Duration unacknowledged_for() const { return progress_.time_since_epoch(); }
  Instant ts_recent_at() const { return ts_recent_at_; }

  // What a snapshot brings.
  struct Carried {
    RttEstimator rtt;
    Duration rto;
    Duration waited;
    Duration unacknowledged_for;
    std::uint8_t retransmissions;
    Instant state_since, last_heard, ts_recent_at;
  };
  void restore(const Carried& carried);  // paused

 private:
  Duration persist_interval(const tcp_pcb& pcb) const;
  Instant recovery_deadline(const tcp_pcb& pcb, const RestingRecovery& recovery) const;
  Instant keep_alive_deadline(const tcp_pcb& pcb) const;
  Outcome retransmit(tcp_pcb& pcb, RestingRecovery& recovery, Instant now);
  Outcome probe_window(tcp_pcb& pcb, Instant now);

  RttEstimator rtt_;
  Duration rto_{};  // with back-off
  // Of the first three: while paused, how long they have run, as a time since the epoch.
  Instant rto_start_{};
  Instant persist_start_{};
  Instant progress_{};  // SND.UNA has advanced, or what waits now has begun to
  Instant ack_start_{};
  Instant close_start_{};
  Instant state_since_{};
  Instant last_heard_{};
  Instant ts_recent_at_{};
  std::uint8_t retransmissions_ = 0;  // by time-out, in a row
};

}  // namespace migd
