// StackImpl: what happens around and inside an entry into lwIP.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/checksum.h"
#include "base/limits.h"
#include "stack/isn.h"
#include "stack/snapshot_rules.h"
#include "stack/stack_impl.h"

namespace migd {
namespace {

constexpr std::uint32_t kTickMilliseconds = TCP_SLOW_INTERVAL;

// PCBs that failed an assertion. What they point to is in an unknown state: never touched again.
std::vector<tcp_pcb*>& quarantine_ward() {
  static std::vector<tcp_pcb*> ward;
  return ward;
}

Endpoint endpoint(const ip_addr_t& address, std::uint16_t port) {
  return {from_lwip(address), port};
}

}  // namespace

std::uint32_t StackImpl::ticks() const {
  // Never 0, which lwIP takes for "no round trip is being measured".
  return 1 + static_cast<std::uint32_t>(to_milliseconds(now_ - start_) / kTickMilliseconds);
}

LwipSettings StackImpl::settings_for(const TcpConnection& connection) const {
  LwipSettings settings = settings_;
  settings.receive_window = window_now(connection.receive_window_limit_);
  settings.send_buffer = connection.send_buffer_limit_;
  settings.announced_mss = connection.announced_mss_;
  settings.receive_scale = connection.pcb_->rcv_scale;
  settings.duplicate_left = connection.duplicate_.left.value();
  settings.duplicate_right = connection.duplicate_.right.value();
  const std::uint64_t held = connection.pcb_->rcv_wnd + connection.received_.size();
  const std::uint64_t most = std::uint64_t{connection.receive_window_limit_} + kWindowSlack;
  settings.receive_slack = held < most ? static_cast<std::uint32_t>(most - held) : 0;
  return settings;
}

void StackImpl::after_entry(TcpConnection& connection, const PcbMark& mark) {
  connection.received_.settle();
  if (!connection.alive()) return pcb_is_gone(connection);
  tcp_pcb& pcb = *connection.pcb_;
  recount(connection);
  connection.timers_.after(mark, pcb, now_, timer_limits_);
  connection.recovery_.rest_if_idle(pcb);
  if (pcb.state != SYN_RCVD) leave_half_open(connection);
  connection.last_state_ = connection.state();
  if (pcb.state == TIME_WAIT && !connection.finished_) {
    connection.finished_ = true;
    connection.finish_if_read();
  }
  connection.signal_writable();
  arm(connection);
  if (pcb.state == TIME_WAIT) rest_again(connection);
}

void StackImpl::quarantine(TcpConnection& connection) {
  if (connection.alive()) {
    quarantine_ward().push_back(connection.pcb_);
    connection.pcb_ = nullptr;
  }
  connection.reason_ = CloseReason::kInternalError;
  connection.reason_known_ = true;
  quarantined_count_.add();
  pcb_is_gone(connection);
}

// ---- lwIP's callbacks ----

const tcp_ext_arg_callbacks StackImpl::kPcbCallbacks = {
    .destroy = StackImpl::on_destroyed,
    .passive_open = StackImpl::on_passive_open,
};

err_t StackImpl::on_passive_open(std::uint8_t, tcp_pcb_listen* listener_pcb, tcp_pcb* pcb) {
  auto& listener = *static_cast<Listener*>(listener_pcb->ext_args[0].data);
  StackImpl& stack = *listener.stack;
  const StackOptions& options = stack.options_;
  const FourTuple tuple{endpoint(pcb->local_ip, pcb->local_port),
                        endpoint(pcb->remote_ip, pcb->remote_port)};
  const ConnectionId id{options.node, options.boot, stack.next_counter_++};
  TcpConnection& connection =
      stack.make_connection(pcb, tuple, Tenure{id, Epoch{1}}, listener.service);
  connection.listener_ = &listener;
  connection.opened_at_ = stack.now_;
  connection.write_end_ = SeqNum(pcb->snd_lbb + 1);  // behind the SYN
  connection.ts_clock_.set(static_cast<std::uint32_t>(stack.rng_.u64()), stack.now_);
  connection.timers_.begin(stack.now_, stack.timer_limits_);
  connection.recovery_.wake(*pcb).begin(*pcb);
  stack.enter_half_open(connection, listener);

  tcp_set_flags(pcb, TF_NODELAY);
  if (!options.timestamps) tcp_clear_flags(pcb, TF_TIMESTAMP);
  if (!options.sack) tcp_clear_flags(pcb, TF_SACK);
  if (!options.window_scaling && (pcb->flags & TF_WND_SCALE) != 0) {
    tcp_clear_flags(pcb, TF_WND_SCALE);
    pcb->snd_scale = pcb->rcv_scale = 0;
    pcb->rcv_wnd = pcb->rcv_ann_wnd = TCPWND_MIN16(TCP_WND);
  }
  if (options.keepalive_idle > Duration::zero()) {
    ip_set_option(pcb, SOF_KEEPALIVE);
    pcb->keep_idle = static_cast<u32_t>(to_milliseconds(options.keepalive_idle));
  }
  const std::uint32_t window = stack.settings_.receive_window;  // the PCB's: as far as memory goes
  const bool scaled = (pcb->flags & TF_WND_SCALE) != 0;
  connection.receive_window_limit_ = scaled ? window : TCPWND_MIN16(window);
  connection.send_buffer_limit_ = pcb->snd_buf;
  connection.peer_mss_ = std::max(pcb->mss, stack.syn_mss_);
  connection.announced_mss_ = migd_lwip_announced_mss(pcb);

  connection.events_.opened = true;
  connection.events_.syn_answered = true;
  stack.queue_event(connection);
  stack.opened_ = &connection;
  stack.serving_ = &connection;
  return ERR_OK;
}

void StackImpl::on_destroyed(std::uint8_t, void* connection) {
  static_cast<TcpConnection*>(connection)->pcb_ = nullptr;
}

err_t StackImpl::on_accepted(void* argument, tcp_pcb* pcb, err_t) {
  if (pcb == nullptr) return ERR_OK;  // lwIP had no memory for the PCB
  auto& connection = *static_cast<TcpConnection*>(argument);
  connection.events_.established = true;
  connection.stack_.queue_event(connection);
  return ERR_OK;
}

err_t StackImpl::on_received(void* argument, tcp_pcb* pcb, pbuf* data, err_t) {
  auto& connection = *static_cast<TcpConnection*>(argument);
  if (data == nullptr) {
    connection.peer_closed_ = true;
    connection.events_.peer_closed = true;
  } else {
    connection.bytes_in_ += data->tot_len;
    // Whoever sends more than a segment at once waits for an answer after each (RFC 9293 3.8.6.3).
    if (data->tot_len >= 2 * pcb->mss) connection.ack_soon_ = true;
    connection.received_.append(data);
    connection.events_.readable = true;
  }
  if (connection.ack_soon_) connection.stack_.touch(connection);
  connection.stack_.queue_event(connection);
  return ERR_OK;
}

void StackImpl::on_error(void* argument, err_t error) {
  auto& connection = *static_cast<TcpConnection*>(argument);
  if (connection.reason_known_) return;
  connection.reason_known_ = true;
  connection.reason_ = error == ERR_RST    ? CloseReason::kPeerReset
                       : error == ERR_CLSD ? CloseReason::kFinished
                                           : CloseReason::kLocalAbort;
}

std::uint32_t StackImpl::timestamp(const tcp_pcb* pcb) {
  const auto& connection = *static_cast<const TcpConnection*>(pcb->ext_args[0].data);
  return connection.ts_clock_.tsval(connection.stack_.now_);
}

std::uint32_t StackImpl::initial_sequence(const ip_addr_t* local, std::uint16_t local_port,
                                          const ip_addr_t* remote, std::uint16_t remote_port) {
  StackImpl& stack = inside();
  if (stack.forced_isn_) return stack.forced_isn_->value();
  const FourTuple tuple{endpoint(*local, local_port), endpoint(*remote, remote_port)};
  return initial_sequence_number(stack.isn_key_, tuple, stack.now_).value();
}

// ---- loss recovery ----

namespace {

TcpConnection& connection_of(const tcp_pcb& pcb) {
  return *static_cast<TcpConnection*>(pcb.ext_args[0].data);
}

}  // namespace

LossRecovery::At StackImpl::recovery_at(TcpConnection& connection) {
  StackImpl& stack = connection.stack_;
  return {*connection.pcb_, connection.timers_.rtt(), stack.now_, stack.ack_};
}

void StackImpl::segment_sent(tcp_pcb* pcb, tcp_seg* segment) {
  TcpConnection& connection = connection_of(*pcb);
  connection.recovery_.wake(*pcb).on_segment_sent(recovery_at(connection), *segment,
                                                  timestamp(pcb));
}

void StackImpl::segment_acked(tcp_pcb* pcb, const tcp_seg* segment) {
  TcpConnection& connection = connection_of(*pcb);
  connection.recovery_.wake(*pcb).on_segment_acked(recovery_at(connection), *segment);
}

void StackImpl::ack_received(tcp_pcb* pcb, std::uint32_t acked, int duplicate) {
  TcpConnection& connection = connection_of(*pcb);
  LossRecovery::Ack& ack = connection.stack_.ack_;
  if (connection.recovery_.resting() && acked == 0 && duplicate == 0 &&
      ack.options.block_count == 0) {
    ack = {};  // nothing is in flight that it could tell of
    return;
  }
  connection.recovery_.wake(*pcb).on_ack(recovery_at(connection), acked, duplicate != 0);
}

std::uint32_t StackImpl::output_window(tcp_pcb* pcb) {
  TcpConnection& connection = connection_of(*pcb);
  if (connection.recovery_.resting() && pcb->unsent == nullptr) return pcb->cwnd;
  return connection.recovery_.wake(*pcb).output_window(recovery_at(connection));
}

// ---- output ----

void StackImpl::output_segment(const pbuf* segment, const ip_addr_t* source,
                               const ip_addr_t* destination, std::uint8_t hop_limit,
                               std::uint8_t traffic_class) {
  StackImpl& stack = inside();
  if (stack.silent_) return;
  IpHeader ip;
  ip.src = from_lwip(*source);
  ip.dst = from_lwip(*destination);
  ip.protocol = kProtocolTcp;
  ip.hop_limit = hop_limit;
  ip.traffic_class = traffic_class;
  const EgressQueue::Span span = stack.outgoing_.add(ip, *segment);

  if (TcpConnection* connection = stack.serving_) {
    if (connection->first_sent_ == kNever) connection->first_sent_ = stack.now_;
    connection->ack_owed_ = false;  // every segment of ours acknowledges and announces the window
    const bool again = span.length > 0 && connection->alive() &&
                       span.seq + span.length <= SeqNum(connection->pcb_->snd_nxt);
    if (again) ++connection->retransmitted_segments_;
  }
}

void StackImpl::send_outgoing() {
  if (sending_) return;
  sending_ = true;
  std::vector<Frame> frames;
  while (!outgoing_.empty()) {
    frames.clear();
    outgoing_.take(frames);
    for (Frame& frame : frames)
      output_.on_frame(std::move(frame), now_);
  }
  sending_ = false;
}

void StackImpl::send_unless_delivering() {
  if (!delivering_) send_outgoing();
}

}  // namespace migd
