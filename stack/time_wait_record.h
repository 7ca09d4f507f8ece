// What is kept of a connection in TIME_WAIT that nobody looks at: a third of its memory, for a
// minute, and a node that ends short connections has a million of them. A packet, a question or
// its deadline make it a connection again, as it was (StackImpl::wake), which comes to rest as soon
// as there is no more to do.
//
// All that is left to send is acknowledgments: what belongs to sending data is not kept (round
// trip, loss recovery, congestion, the path's MTU, keep-alive), nor since when nothing was heard.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"
#include "base/timer_wheel.h"
#include "stack/acceptability.h"
#include "stack/snapshot.h"
#include "stack/timestamp_clock.h"

namespace migd {

// What a connection has beside its snapshot. The names live as long as the stack.
struct ConnectionContext {
  Tenure tenure;
  const std::string* service = nullptr;
  const std::string* application = nullptr;
  ChallengeBudget challenges;
  Instant first_sent = kNever, first_heard = kNever;
  bool arrived = false;
};

class TimeWaitRecord final : public TimerWheel::Node {
 public:
  // `snapshot`, taken at `now`, is of a connection in TIME_WAIT with nothing unread.
  TimeWaitRecord(const TcpSnapshot& snapshot, const ConnectionContext& context, Instant now);

  const FourTuple& tuple() const { return tuple_; }
  const ConnectionId& id() const { return context_.tenure.connection; }
  const ConnectionContext& context() const { return context_; }
  Instant began() const { return began_; }

  // What was not kept has the values of a connection that has sent nothing.
  TcpSnapshot snapshot(Instant now) const;

 private:
  FourTuple tuple_;
  ConnectionContext context_;
  Instant opened_at_;
  Instant began_;  // TIME_WAIT, for the last time
  TimestampClock ts_clock_;
  std::uint64_t bytes_in_, bytes_out_;
  SeqNum send_next_, receive_next_, announced_right_edge_, ts_last_ack_sent_;
  std::uint32_t ts_recent_, send_window_, receive_window_limit_, send_buffer_limit_;
  std::uint32_t retransmitted_segments_;
  std::uint16_t mss_, announced_mss_;
  std::uint8_t send_scale_, receive_scale_, traffic_class_, hop_limit_;
  bool window_scaling_ : 1, timestamps_ : 1, sack_ : 1, no_delay_ : 1, read_closed_ : 1;
};

}  // namespace migd
