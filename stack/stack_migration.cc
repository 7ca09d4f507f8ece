// StackImpl: connections that leave and come in.
#include <algorithm>

#include "base/check.h"
#include "stack/pcb_attach.h"
#include "stack/snapshot_rules.h"
#include "stack/stack_impl.h"

namespace migd {

namespace {

LossRecovery::Phase phase_of(const TcpSnapshot& s) {
  if (s.in_rto_recovery) return LossRecovery::Phase::kTimeOut;
  return s.in_fast_recovery ? LossRecovery::Phase::kFastRecovery : LossRecovery::Phase::kOpen;
}

std::uint64_t kept_by(const TcpSnapshot& s) {
  std::uint64_t kept = s.unread.size() + s.send_data.size();
  for (const TcpSnapshot::OutOfOrder& range : s.out_of_order)
    kept += range.data.size();
  return kept;
}

}  // namespace

FrozenConnection StackImpl::freeze(Connection& connection, Instant now) {
  advance(now);
  auto& c = static_cast<TcpConnection&>(connection);
  MIGD_CHECK(c.alive() && !c.frozen_);
  send_outgoing();  // what lwIP has said already leaves before the silence begins
  c.frozen_ = true;
  ++frozen_count_;
  c.timer().cancel();
  c.timers_.pause(now_);
  return grant(c);
}

TcpSnapshot StackImpl::capture(const FrozenConnection& frozen, Instant now) const {
  return capture_connection(static_cast<const TcpConnection&>(frozen.connection()),
                            std::max(now, now_));
}

void StackImpl::thaw(FrozenConnection frozen, Instant now) {
  advance(now);
  auto& c = static_cast<TcpConnection&>(redeem(frozen));
  MIGD_CHECK(c.frozen_);
  c.frozen_ = false;
  c.writing_paused_ = false;
  c.pause_reading(false);
  --frozen_count_;
  if (c.alive()) {
    // An ACK that was owed leaves at once, unless a segment says it. Otherwise the peer knows all
    // there is to know: an ACK that says nothing new would be a duplicate to it (RFC 5681 2).
    const bool owed = c.ack_owed_ || (c.pcb_->flags & (TF_ACK_DELAY | TF_ACK_NOW)) != 0;
    c.ack_owed_ = owed && c.pcb_->state != SYN_RCVD && c.pcb_->state != TIME_WAIT;
    tcp_clear_flags(c.pcb_, TF_ACK_DELAY | TF_ACK_NOW);
    resume_timers(c);
    touch(c);
  }
  queue_event(c);
}

void StackImpl::release(FrozenConnection frozen, CloseReason reason) {
  auto& c = static_cast<TcpConnection&>(redeem(frozen));
  MIGD_CHECK(c.frozen_);
  c.frozen_ = false;
  --frozen_count_;
  if (c.alive()) {
    c.closed_told_ = true;
    c.events_.closed = true;
    remove_pcb(c, reason);
  }
  queue_event(c);
}

Result<TcpConnection*> StackImpl::restore(const TcpSnapshot& snapshot, const Tenure& tenure,
                                          const std::string* service, Duration held) {
  Listener* const listener = listener_of(snapshot.tuple.local);
  Listener& counts_there = listener != nullptr ? *listener : adopted_;
  LwipSettings settings = settings_;
  settings.receive_window = window_now(snapshot.receive_window_limit);
  settings.send_buffer = snapshot.send_buffer_limit;
  const std::uint16_t mss = mss_on_link(snapshot, options_.link.mtu);
  tcp_pcb* pcb = nullptr;
  {
    InstanceScope scope(settings, ticks(), nullptr, nullptr);
    auto call = [&] { pcb = make_pcb(snapshot, mss, now_ - held, &counts_there.pcb); };
    if (!AssertionGuard::run(call)) {
      scope.reset_after_failure();
      quarantined_count_.add();
      return fail(ErrorCode::kProtocol, "snapshot refused: it failed an assertion of the stack");
    }
  }
  if (pcb == nullptr) {
    return fail(ErrorCode::kTooLarge, "no memory for the connection, or too many segments");
  }

  TcpConnection& c = make_connection(pcb, snapshot.tuple, tenure, service);
  c.listener_ = listener;
  if (pcb->state == SYN_RCVD) enter_half_open(c, counts_there);
  c.opened_at_ = now_ - held - snapshot.age;
  c.ts_clock_.set(snapshot.ts_clock, now_ - held - snapshot.ts_clock_part);
  c.peer_mss_ = snapshot.mss;
  c.announced_mss_ = snapshot.announced_mss;
  c.path_mtu_ = snapshot.path_mtu;
  c.path_mtu_at_ = now_ - held - snapshot.path_mtu_age;
  c.receive_window_limit_ = snapshot.receive_window_limit;
  c.send_buffer_limit_ = snapshot.send_buffer_limit;
  c.write_end_ = snapshot.fin_sequence.value_or(
      snapshot.state == TcpState::kSynReceived
          ? snapshot.send_next
          : snapshot.send_unacknowledged + static_cast<std::uint32_t>(snapshot.send_data.size()));
  c.received_.append_copy(snapshot.unread);
  c.peer_closed_ = snapshot.peer_fin_received;
  c.read_closed_ = snapshot.read_closed;
  c.finished_ = snapshot.state == TcpState::kTimeWait;
  c.bytes_in_ = snapshot.bytes_in;
  c.bytes_out_ = snapshot.bytes_out;
  c.retransmitted_segments_ = snapshot.retransmitted_segments;
  c.last_state_ = snapshot.state;
  RttEstimator rtt;
  if (snapshot.rtt_known) rtt.restore(snapshot.srtt, snapshot.rttvar);
  c.timers_.restore({.rtt = rtt,
                     .rto = snapshot.rto,
                     .waited = snapshot.timer_waited,
                     .unacknowledged_for = snapshot.unacknowledged_for,
                     .retransmissions = snapshot.retransmissions,
                     .state_since = now_ - held - snapshot.time_in_state,
                     .last_heard = now_ - held - snapshot.idle,
                     .ts_recent_at = now_ - held - snapshot.ts_recent_age});
  c.recovery_.wake(*pcb).restore(*pcb, phase_of(snapshot), snapshot.recovery_end, snapshot.recovery,
                                 snapshot.congestion, now_ - held);
  c.count_out_of_order();
  recount(c);
  return &c;
}

Result<FrozenConnection> StackImpl::attach(const TcpSnapshot& snapshot, const Tenure& tenure,
                                           std::string service, Duration held, Instant now) {
  advance(now);
  if (auto ok = check_snapshot(snapshot); !ok) return tl::unexpected(ok.error());
  if (shut_down_) return fail(ErrorCode::kUnavailable, "this node is shutting down");
  if (find(snapshot.tuple) != nullptr || find(tenure.connection) != nullptr) {
    return fail(ErrorCode::kBusy, "the connection exists here already");
  }
  if (memory_.full() || kept_by(snapshot) > memory_.left()) {
    return fail(ErrorCode::kTooLarge, "this node's connections keep as much as they may");
  }
  if (room() == 0) {
    return fail(ErrorCode::kTooLarge, "this node has as many connections as it may have");
  }
  if (snapshot.state == TcpState::kSynReceived) {
    const Listener* const listener = listener_of(snapshot.tuple.local);
    if ((listener != nullptr ? *listener : adopted_).half_open >= options_.backlog) {
      return fail(ErrorCode::kTooLarge,
                  "this node has as many half-open connections as it may have");
    }
  }
  held = std::clamp<Duration>(held, Duration::zero(), 24h);
  const Result<TcpConnection*> restored =
      restore(snapshot, tenure, intern(std::move(service)), held);
  if (!restored) return tl::unexpected(restored.error());
  TcpConnection& c = **restored;
  c.frozen_ = true;
  ++frozen_count_;
  c.arrived_ = true;
  c.events_.opened = true;
  c.events_.established = snapshot.state != TcpState::kSynReceived;
  queue_event(c);
  return grant(c);
}

}  // namespace migd
