// Whether a recovery was worth nothing: what it sent again had arrived already, only late. Counted
// in bytes that were sent again and not proven to be needless yet; once there are none, the windows
// become what they were (RFC 3708, RFC 4015).
//
// A retransmission was needless when
//   * the peer says so: a DSACK block (RFC 2883, RFC 3708),
//   * the ACK that covers it echoes a timestamp from before the first retransmission (Eifel,
//     RFC 3522), or came much sooner after it than any round trip (as RFC 8985 6.2, step 2).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/seq.h"
#include "base/time.h"
#include "stack/recovery/state.h"

namespace migd {

class Undo {
 public:
  // Of what lies between the two.
  void begin(SeqNum unacknowledged, SeqNum send_next, std::uint32_t cwnd, std::uint32_t ssthresh) {
    possible_ = true;
    proven_ = unacknowledged;
    end_ = send_next;
    unproven_ = 0;
    cwnd_ = cwnd;
    ssthresh_ = ssthresh;
    timestamp_.reset();
  }
  void end() { possible_ = false; }
  bool possible() const { return possible_; }

  void on_retransmission(std::uint32_t bytes, std::uint32_t timestamp) {
    if (!possible_) return;
    unproven_ += bytes;
    if (!timestamp_) timestamp_ = timestamp;
  }
  // A retransmission was acknowledged, `after` it was sent. `echo`: by an ACK with this timestamp.
  void on_acknowledged(SeqNum end, std::uint32_t bytes, Duration after, Duration min_rtt,
                       std::optional<std::uint32_t> echo) {
    if (!possible_) return;
    const bool older = echo && timestamp_ && SeqNum(*echo) < SeqNum(*timestamp_);
    if (older || after < min_rtt / 2) prove(bytes, end);
  }
  // The peer has got this twice.
  void on_duplicate(SeqNum left, SeqNum right) {
    if (possible_ && left >= proven_ && right > left && right <= end_)
      prove(static_cast<std::uint32_t>(right - left), proven_);
  }
  // All that was sent again, by another way.
  void prove_all() { unproven_ = 0; }

  // Something was sent again, and all of it for nothing.
  bool proven() const { return possible_ && timestamp_ && unproven_ == 0; }
  std::uint32_t cwnd() const { return cwnd_; }
  std::uint32_t ssthresh() const { return ssthresh_; }

  void capture(RecoveryState& out) const {
    out.undo_possible = possible_;
    if (!possible_) return;
    out.undo_proven = proven_;
    out.undo_end = end_;
    out.undo_unproven = unproven_;
    out.undo_cwnd = cwnd_;
    out.undo_ssthresh = ssthresh_;
    out.undo_timestamp = timestamp_;
  }
  void restore(const RecoveryState& state) {
    possible_ = state.undo_possible;
    proven_ = state.undo_proven;
    end_ = state.undo_end;
    unproven_ = state.undo_unproven;
    cwnd_ = state.undo_cwnd;
    ssthresh_ = state.undo_ssthresh;
    timestamp_ = state.undo_timestamp;
  }

 private:
  void prove(std::uint32_t bytes, SeqNum end) {
    unproven_ -= std::min(unproven_, bytes);
    proven_ = std::max(proven_, end);
  }

  bool possible_ = false;
  SeqNum proven_;  // a DSACK of what lies before tells nothing new
  SeqNum end_;     // and what lies behind belongs to no retransmission that counts
  std::uint32_t unproven_ = 0;
  std::uint32_t cwnd_ = 0, ssthresh_ = 0;  // before the recovery
  std::optional<std::uint32_t> timestamp_;
};

}  // namespace migd
