#include "stack/tcp_connection.h"

#include <algorithm>

#include "base/check.h"
#include "stack/path_mtu.h"
#include "stack/pcb_attach.h"
#include "stack/stack_impl.h"

namespace migd {
namespace {

constexpr std::size_t kTcpWriteMax = 0xffff;  // tcp_write() has 16 bits

TcpState to_state(tcp_state state) {
  switch (state) {
    case SYN_RCVD:
      return TcpState::kSynReceived;
    case ESTABLISHED:
      return TcpState::kEstablished;
    case CLOSE_WAIT:
      return TcpState::kCloseWait;
    case FIN_WAIT_1:
      return TcpState::kFinWait1;
    case FIN_WAIT_2:
      return TcpState::kFinWait2;
    case CLOSING:
      return TcpState::kClosing;
    case LAST_ACK:
      return TcpState::kLastAck;
    case TIME_WAIT:
      return TcpState::kTimeWait;
    case CLOSED:
    case LISTEN:
    case SYN_SENT:
      break;
  }
  check_failed("a connection's PCB is in a state of a connection", __FILE__, __LINE__);
}

bool writing_ended(const tcp_pcb& pcb) {
  return (pcb.flags & (TF_FIN | TF_CLOSEPEND)) != 0;
}

}  // namespace

// Every 16 bytes more cost each idle connection as many.
static_assert(sizeof(void*) != 8 || sizeof(TcpConnection) <= 512);

TcpConnection::TcpConnection(StackImpl& stack, tcp_pcb* pcb, const FourTuple& tuple,
                             const Tenure& tenure, const std::string* service)
    : stack_(stack),
      pcb_(pcb),
      service_(service),
      application_(stack.intern("")),
      tuple_(tuple),
      id_(tenure.connection),
      epoch_(tenure.epoch),
      recovery_(stack.options_.congestion_control) {}

TcpConnection::~TcpConnection() = default;

TcpState TcpConnection::state() const {
  return alive() ? to_state(pcb_->state) : last_state_;
}

ConnectionReference TcpConnection::reference() const {
  if (!alive()) return {id_, tuple_, {}, {}};
  return {id_, tuple_, SeqNum(pcb_->snd_nxt), SeqNum(pcb_->rcv_nxt)};
}

Duration TcpConnection::age() const {
  return stack_.now_ - opened_at_;
}

void TcpConnection::bind(std::string application, ConnectionHandler* handler) {
  application_ = stack_.intern(std::move(application));
  handler_ = closed_told_ ? nullptr : handler;
  if (handler_ == nullptr) return;
  events_.readable = received_.size() > 0;
  events_.peer_closed = peer_closed_;
  write_blocked_ = alive() && !writing_ended(*pcb_) && writable() == 0;
  finish_if_read();
  stack_.queue_event(*this);
}

bool TcpConnection::application_done() const {
  if (read_closed_ || !alive()) return read_closed_ || received_.size() == 0;
  return writing_ended(*pcb_) && peer_closed_ && received_.size() == 0;
}

// ---- reading ----

std::size_t TcpConnection::peek(std::size_t offset, MutableBytes out) const {
  return reading_paused_ ? 0 : received_.peek(offset, out);
}

void TcpConnection::consume(std::size_t n) {
  MIGD_CHECK(!frozen_);
  if (n == 0) return;
  received_.consume(n);
  stack_.recount(*this);
  if (alive() && !read_closed_) {
    consumed_ += static_cast<std::uint32_t>(n);
    stack_.touch(*this);
  }
  finish_if_read();
}

void TcpConnection::read_later() {
  if (handler_ == nullptr || readable() == 0) return;
  events_.readable = true;
  stack_.queue_event(*this);
}

void TcpConnection::pause_reading(bool paused) {
  if (paused == reading_paused_) return;
  reading_paused_ = paused;
  if (paused) return;
  // The handler may have looked meanwhile, and found nothing.
  events_.readable |= handler_ != nullptr && received_.size() > 0;
  stack_.queue_event(*this);
}

void TcpConnection::finish_if_read() {
  if (finished_ && !closed_told_ &&
      (read_closed_ || received_.size() == 0 || handler_ == nullptr)) {
    closed_told_ = true;
    events_.closed = true;
  }
  if (!alive() && closed_told_) events_.gone = true;
  if (events_.any()) stack_.queue_event(*this);
}

// ---- writing ----

bool TcpConnection::takes_data() const {
  return alive() && (pcb_->state == ESTABLISHED || pcb_->state == CLOSE_WAIT) &&
         !writing_ended(*pcb_);
}

std::size_t TcpConnection::segment_payload() const {
  const std::size_t options =
      (pcb_->flags & TF_TIMESTAMP) != 0 ? std::size_t{LWIP_TCP_OPT_LEN_TS_OUT} : 0;
  const std::size_t half_window = pcb_->snd_wnd_max / 2;  // as tcp_write() limits segments
  const std::size_t segment =
      half_window == 0 ? pcb_->mss : std::min<std::size_t>(pcb_->mss, half_window);
  return segment > options ? segment - options : 1;
}

std::size_t TcpConnection::unsent() const {
  if (!alive()) return 0;
  const std::int32_t n = write_end_ - SeqNum(pcb_->snd_nxt);
  return static_cast<std::size_t>(std::max(n, 0));
}

std::size_t TcpConnection::unacknowledged() const {
  if (!alive() || pcb_->state == SYN_RCVD) return 0;
  const std::int32_t n = write_end_ - SeqNum(pcb_->lastack);
  return n <= 0 ? 0 : static_cast<std::size_t>(n) - std::min(static_cast<std::size_t>(n), unsent());
}

// What lwIP gives back for a FIN may make it more than the limit.
std::uint64_t TcpConnection::queued() const {
  return send_buffer_limit_ - std::min(send_buffer_limit_, pcb_->snd_buf);
}

void TcpConnection::count_out_of_order() {
  out_of_order_segments_ = out_of_order_bytes_ = 0;
  if (!alive()) return;
  for (const tcp_seg* s = pcb_->ooseq; s != nullptr; s = s->next) {
    ++out_of_order_segments_;
    out_of_order_bytes_ += s->len;
  }
}

std::uint64_t TcpConnection::memory_to_write() const {
  return stack_.memory_.new_room(queued(), stack_.table_.size());
}

std::size_t TcpConnection::writable() const {
  if (writing_paused_ || !takes_data()) return 0;
  const std::size_t low_water = stack_.options_.unsent_low_water;
  const std::size_t waiting = unsent();
  if (waiting >= low_water) return 0;
  // lwIP counts the buffers of its queue in 16 bits: with tiny segments that is the limit.
  const std::size_t buffers =
      TCP_SND_QUEUELEN - std::min<std::size_t>(TCP_SND_QUEUELEN, pcb_->snd_queuelen + 2u);
  // Others may have it: then no write of its own has told the handler that it must wait.
  const std::uint64_t memory = memory_to_write();
  if (memory == 0) write_blocked_ = true;
  return std::min({std::size_t{pcb_->snd_buf}, low_water - waiting, buffers * segment_payload(),
                   static_cast<std::size_t>(memory)});
}

std::size_t TcpConnection::write(ByteView bytes) {
  MIGD_CHECK(!frozen_);
  const std::size_t wanted = std::min(bytes.size(), writable());
  std::size_t taken = 0;
  if (wanted > 0) {
    forget_old_path_mtu();
    stack_.serve(*this, [this, bytes, wanted, &taken] {
      while (taken < wanted) {
        const std::size_t n = std::min(wanted - taken, kTcpWriteMax);
        const bool more = taken + n < wanted;
        const std::uint8_t flags = TCP_WRITE_FLAG_COPY | (more ? TCP_WRITE_FLAG_MORE : 0);
        if (tcp_write(pcb_, bytes.data() + taken, static_cast<u16_t>(n), flags) != ERR_OK) break;
        taken += n;
      }
    });
    if (!alive()) return 0;
    write_end_ += static_cast<std::uint32_t>(taken);
    bytes_out_ += taken;
    stack_.touch(*this);
  }
  write_blocked_ = takes_data() && (taken < bytes.size() || writable() == 0);
  if (taken < bytes.size() && takes_data() && memory_to_write() == 0) stack_.writes_limited_.add();
  return taken;
}

// The path may have become wider (RFC 1191 6.3): the next segments try.
void TcpConnection::forget_old_path_mtu() {
  if (path_mtu_ == 0 || stack_.now_ - path_mtu_at_ < kPathMtuLifetime) return;
  path_mtu_ = 0;
  pcb_->mss =
      std::min(peer_mss_, mss_of_mtu(stack_.options_.link.mtu, tuple_.peer.address.family()));
}

void TcpConnection::pause_writing(bool paused) {
  if (paused == writing_paused_) return;
  writing_paused_ = paused;
  if (paused || frozen_) return;
  write_blocked_ = takes_data();  // the handler may have found writable() to be 0, and waits
  signal_writable();
}

void TcpConnection::signal_writable() {
  if (!write_blocked_ || handler_ == nullptr) return;
  const std::size_t room = writable();
  const std::uint64_t most =
      std::min<std::uint64_t>(send_buffer_limit_, stack_.memory_.share(stack_.table_.size()));
  const std::size_t worth_it =
      std::min<std::size_t>(stack_.options_.unsent_low_water / 2, most / 4);
  const bool all_acknowledged = alive() && pcb_->unsent == nullptr && pcb_->unacked == nullptr;
  if (room == 0 || (room < worth_it && !all_acknowledged)) return;
  write_blocked_ = false;
  events_.writable = true;
  stack_.queue_event(*this);
}

// ---- ending ----

void TcpConnection::shutdown_write() {
  MIGD_CHECK(!frozen_);
  if (!alive() || writing_ended(*pcb_)) return;
  if (pcb_->state == SYN_RCVD) return abort();  // there is no stream yet that could end
  write_blocked_ = false;
  stack_.serve(*this, [this] { tcp_shutdown(pcb_, 0, 1); });
  stack_.send_unless_delivering();
}

void TcpConnection::close() {
  MIGD_CHECK(!frozen_);
  if (read_closed_) return;
  if (alive() && pcb_->state == SYN_RCVD) return abort();
  read_closed_ = true;
  write_blocked_ = false;
  received_.clear();
  consumed_ = 0;
  stack_.recount(*this);
  if (alive()) {
    timers_.orphaned(stack_.now_);
    stack_.serve(*this, [this] {
      tcp_pcb* const pcb = pcb_;
      pcb->rcv_wnd = std::max(pcb->rcv_wnd, TCP_WND_MAX(pcb));
      tcp_update_rcv_ann_wnd(pcb);
      tcp_set_flags(pcb, TF_RXCLOSED);
      if (!writing_ended(*pcb)) tcp_shutdown(pcb, 0, 1);
    });
  }
  finish_if_read();
  stack_.send_unless_delivering();
}

void TcpConnection::abort() {
  MIGD_CHECK(!frozen_);
  if (!alive()) {  // over already; what was received is not wanted
    close();
    return;
  }
  stack_.reset(*this, CloseReason::kLocalAbort);
  stack_.send_unless_delivering();
}

Result<void> TcpConnection::migrate(NodeId target, std::string application, Bytes state) {
  if (!alive()) return fail(ErrorCode::kNotFound, "the connection has ended");
  if (frozen_) return fail(ErrorCode::kBusy, "the connection is moving already");
  if (stack_.migration_ == nullptr) {
    return fail(ErrorCode::kUnavailable, "this node has no migrator");
  }
  return stack_.migration_->migrate(*this, target, std::move(application), std::move(state));
}

}  // namespace migd
