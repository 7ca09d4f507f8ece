// StackImpl: connections in TIME_WAIT, which are records while nothing happens to them.
#include "base/check.h"
#include "stack/stack_impl.h"

namespace migd {

// Nothing is left that anybody could be told, or could do, before the next packet or the deadline.
bool StackImpl::can_rest(const TcpConnection& c) {
  return c.alive() && c.pcb_->state == TIME_WAIT && c.handler_ == nullptr && !c.frozen_ &&
         !c.touched_ && !c.event_queued_ && !c.events_.any() && !c.ack_owed_ &&
         (c.pcb_->flags & (TF_ACK_DELAY | TF_ACK_NOW)) == 0 && c.received_.size() == 0;
}

void StackImpl::rest_again(TcpConnection& connection) {
  connection.events_.rest = true;
  queue_event(connection);
}

void StackImpl::put_to_rest(TcpConnection& connection) {
  MIGD_CHECK(can_rest(connection));
  auto* const record =
      new TimeWaitRecord(capture_connection(connection, now_),
                         ConnectionContext{.tenure = {connection.id_, connection.epoch_},
                                           .service = connection.service_,
                                           .application = connection.application_,
                                           .challenges = connection.challenges_,
                                           .first_sent = connection.first_sent_,
                                           .first_heard = connection.first_heard_,
                                           .arrived = connection.arrived_},
                         now_);
  connection.timer().cancel();
  table_.erase(connection);
  connection.hashed_ = false;
  {
    InstanceScope scope(settings_, ticks(), nullptr, nullptr);
    tcp_pcb* const pcb = connection.pcb_;
    tcp_pcb_purge(pcb);
    tcp_free(pcb);  // on_destroyed()
  }
  destroy(connection);

  resting_wheel_.arm(*record, record->began() + options_.time_wait);
  resting_.insert(*record);
}

TcpConnection* StackImpl::wake(TimeWaitRecord& record) {
  const ConnectionContext& context = record.context();
  const Result<TcpConnection*> restored =
      restore(record.snapshot(now_), context.tenure, context.service, Duration::zero());
  if (!restored) return nullptr;
  TcpConnection& connection = **restored;
  connection.application_ = context.application;
  connection.challenges_ = context.challenges;
  connection.first_sent_ = context.first_sent;
  connection.first_heard_ = context.first_heard;
  connection.arrived_ = context.arrived;
  connection.closed_told_ = true;
  resume_timers(connection);
  resting_.erase(record);
  delete &record;
  return &connection;
}

}  // namespace migd
