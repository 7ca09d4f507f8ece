// StackImpl: what is told to handlers, and what they wrote on its way out.
#include <algorithm>

#include "stack/stack_impl.h"

namespace migd {
namespace {

// What tcp_recved() does, except that the ACK waits until everything that belongs into the same
// segment is there. Every segment says how large the window is; one of its own is worth it only
// when the peer may soon have to wait (RFC 9293 3.8.6.2.2).
void open_window(tcp_pcb* pcb, std::size_t unread) {
  const std::uint32_t most = TCP_WND_MAX(pcb);
  const auto taken = static_cast<std::uint32_t>(std::min<std::size_t>(most, unread));
  pcb->rcv_wnd = std::max(pcb->rcv_wnd, most - taken);
  const std::int64_t left = SeqNum(pcb->rcv_ann_right_edge) - SeqNum(pcb->rcv_nxt);
  const std::uint32_t more = tcp_update_rcv_ann_wnd(pcb);
  if (pcb->state != ESTABLISHED && pcb->state != FIN_WAIT_1 && pcb->state != FIN_WAIT_2) return;
  const std::uint32_t mss = pcb->mss;
  const std::uint32_t worth_it = std::max(most / 8, std::min(most / 4, 4 * mss));
  const bool running_low = left < most / 2 && more >= worth_it;
  const bool blocked = left < mss && more >= std::min(most / 2, mss);
  if (running_low || blocked) tcp_ack_now(pcb);
}

}  // namespace

void StackImpl::queue_event(TcpConnection& connection) {
  if (connection.event_queued_ || !connection.events_.any()) return;
  connection.event_queued_ = true;
  connection.next_event_ = nullptr;
  (last_event_ != nullptr ? last_event_->next_event_ : first_event_) = &connection;
  last_event_ = &connection;
}

void StackImpl::touch(TcpConnection& connection) {
  if (connection.touched_) return;
  connection.touched_ = true;
  touched_.push_back(&connection);
}

void StackImpl::deliver_events(Instant now) {
  advance(now);
  if (delivering_) return;  // from inside a handler or a sink: the outer call goes on until the end
  delivering_ = true;
  do {
    // In rounds: what a handler leaves for later (read_later) waits until the peers of all have
    // heard of what was done so far.
    const TcpConnection* const last_of_round = last_event_;
    for (bool more = first_event_ != nullptr; more;) {
      TcpConnection& connection = *first_event_;
      more = &connection != last_of_round;
      first_event_ = connection.next_event_;
      if (first_event_ == nullptr) last_event_ = nullptr;
      connection.event_queued_ = false;
      while (!connection.event_queued_ && deliver_one(connection)) {
      }
    }
    flush_touched();
    send_outgoing();
  } while (first_event_ != nullptr || !touched_.empty());
  delivering_ = false;
}

void StackImpl::send_written(Instant now) {
  advance(now);
  if (delivering_) return;
  flush_touched();
  send_outgoing();
}

bool StackImpl::deliver_one(TcpConnection& connection) {
  ConnectionEvents& events = connection.events_;
  if (events.opened) {
    events.opened = false;
    if (observer_ != nullptr) observer_->on_opened(connection);
    return true;
  }
  if (connection.frozen_) return false;  // thaw() queues it again

  // After a reset or a time-out nothing else matters; after an orderly end all else comes first.
  const bool cut_off = events.closed && connection.reason_ != CloseReason::kFinished;
  AcceptHandler* const acceptor = connection.alive() ? acceptor_of(connection) : nullptr;
  ConnectionHandler* const handler = connection.handler_;
  if (!cut_off) {
    if (events.syn_answered) {
      events.syn_answered = false;
      if (acceptor != nullptr) acceptor->on_syn_answered(connection);
      return true;
    }
    if (events.established) {
      events.established = false;
      if (acceptor != nullptr && connection.application().empty()) {
        acceptor->on_established(connection);
      }
      return true;
    }
    const bool paused = connection.reading_paused_;  // what there is to see waits
    if (events.readable && !paused) {
      events.readable = false;
      if (handler != nullptr && connection.readable() > 0) handler->on_readable(connection);
      return true;
    }
    if (events.peer_closed && !paused) {
      events.peer_closed = false;
      if (handler != nullptr && !connection.read_closed_) handler->on_peer_closed(connection);
      return true;
    }
    if (events.writable) {
      events.writable = false;
      if (handler != nullptr && connection.writable() > 0) handler->on_writable(connection);
      return true;
    }
  }
  if (events.closed) {
    events = {.gone = events.gone, .rest = events.rest};
    connection.handler_ = nullptr;
    if (handler != nullptr) handler->on_closed(connection, connection.reason_);
    return true;
  }
  if (events.gone) {
    if (observer_ != nullptr) observer_->on_gone(connection, connection.reason_);
    destroy(connection);
    return false;
  }
  events.rest = false;
  if (can_rest(connection)) put_to_rest(connection);
  return false;
}

void StackImpl::flush_touched() {
  for (std::size_t i = 0; i < touched_.size(); ++i) {  // flushing may touch others
    if (touched_[i] != nullptr) flush(*touched_[i]);
  }
  touched_.clear();
}

void StackImpl::grow_window(TcpConnection& connection, std::uint32_t consumed) {
  const tcp_pcb& pcb = *connection.pcb_;
  if ((pcb.flags & TF_WND_SCALE) == 0 || memory_.scarce()) return;
  const std::uint32_t limit = connection.receive_window_limit_;
  const std::uint32_t bound = std::min(options_.window, 0xffffu << pcb.rcv_scale);
  connection.receive_window_limit_ = connection.receive_growth_.on_consumed(
      consumed, limit, bound, connection.timers_.rtt().srtt(), now_);
}

bool StackImpl::window_withheld(const TcpConnection& connection) const {
  const std::uint64_t held = connection.pcb_->rcv_wnd + connection.received_.size();
  return held + connection.consumed_ < window_now(connection.receive_window_limit_);
}

void StackImpl::flush(TcpConnection& connection) {
  connection.touched_ = false;
  if (!connection.alive() || connection.frozen_) return;
  const std::uint32_t consumed = std::exchange(connection.consumed_, 0);
  if (consumed > 0) {
    grow_window(connection, consumed);
    const std::uint32_t limit = connection.receive_window_limit_;
    if (window_now(limit) < limit) windows_limited_.add();
  }
  const bool open = consumed > 0 || window_withheld(connection);
  const bool ack_soon = connection.ack_soon_;
  connection.ack_soon_ = false;
  serve(connection, [&connection, open, ack_soon] {
    tcp_pcb* const pcb = connection.pcb_;
    if (open) open_window(pcb, connection.received_.size());
    if (ack_soon && (pcb->flags & TF_ACK_DELAY) != 0) tcp_ack_now(pcb);
    tcp_output(pcb);
    if (connection.ack_owed_) tcp_send_empty_ack(pcb);
  });
}

}  // namespace migd
