// RACK (RFC 8985 section 6): a segment is lost when one that was sent later has been delivered, and
// as much time has passed as reordering may need. What is known of the segments themselves is kept
// with them (stack/recovery/marks.h).
#pragma once

#include <cstdint>
#include <optional>

#include "base/seq.h"
#include "base/time.h"
#include "stack/recovery/state.h"

namespace migd {

class Rack {
 public:
  struct Segment {
    Instant sent_at;
    SeqNum end;
    bool retransmitted = false;
  };

  // Steps 2 and 3 (6.2): `segment` was delivered, cumulatively or selectively. `min_rtt`: zero when
  // it is not known.
  void on_delivered(const Segment& segment, Duration min_rtt, Instant now);

  // Step 4: the peer says that it has got something twice, so the window was too small. Once for
  // each round trip.
  void on_duplicate_delivery(SeqNum acknowledged, SeqNum send_next);
  void on_recovery_end();

  // `urgent`: enough was delivered behind a gap, or a recovery goes on already. Nothing is waited
  // for then, unless the path is known to reorder.
  Duration reordering_window(bool urgent, Duration min_rtt, Duration srtt) const;

  // Step 5: how long until the segment counts as lost, which it does at zero or less; nothing:
  // no segment that was sent after it has been delivered.
  std::optional<Duration> until_lost(const Segment& segment, Duration window, Instant now) const;
  // Whether it was sent before the one that was sent last of those that were delivered.
  bool is_before_delivered(const Segment& segment) const;

  // It has seen no reordering, and nothing else that outlives the segments in flight.
  bool is_fresh() const { return !reordering_seen_ && multiplier_ == 1 && !round_; }

  void capture(Instant now, RecoveryState& out) const;
  void restore(const RecoveryState& state, Instant captured_at);

 private:
  static constexpr std::uint8_t kMultiplierMax =
      64;  // the window is bounded by a round trip anyway
  static constexpr std::uint8_t kRecoveriesPersisted = 16;

  bool known_ = false;
  Instant sent_at_{};  // of the segment that was sent last, of those that were delivered
  SeqNum end_;
  Duration rtt_{};
  SeqNum highest_;  // end of the highest one that was delivered
  bool reordering_seen_ = false;
  std::uint8_t multiplier_ = 1;  // of the window
  std::uint8_t persist_ = 0;     // so many recoveries it stays so
  std::optional<SeqNum> round_;  // of the last duplicate delivery ends here
};

}  // namespace migd
