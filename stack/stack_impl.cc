#include "stack/stack_impl.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"

namespace migd {
namespace {

SipKey make_key(Rng& rng) {
  SipKey key;
  rng.fill(key);
  return key;
}

constexpr Duration kWakeAgain = 1s;  // when there was no memory to end it

// The smallest shift with which the window field can say `window`.
std::uint8_t scale_for(std::uint32_t window) {
  std::uint8_t scale = 0;
  while (window >> scale > 0xffff)
    ++scale;
  return scale;
}

}  // namespace

std::unique_ptr<Stack> Stack::create(const StackOptions& options, FrameSink& output,
                                     std::shared_ptr<FramePool> pool, Rng& rng, Metrics& metrics,
                                     Instant now) {
  return std::make_unique<StackImpl>(options, output, std::move(pool), rng, metrics, now);
}

FrozenConnection::~FrozenConnection() {
  // After Stack::shut_down() there is nothing left to thaw or release.
  MIGD_CHECK(connection_ == nullptr || !static_cast<TcpConnection*>(connection_)->alive());
}

StackImpl::StackImpl(const StackOptions& options, FrameSink& output,
                     std::shared_ptr<FramePool> pool, Rng& rng, Metrics& metrics, Instant now)
    : options_(options),
      timer_limits_{.min_rto = options.min_rto,
                    .delayed_ack = options.delayed_ack,
                    .fin_wait_2 = options.fin_wait_2,
                    .time_wait = options.time_wait,
                    .user_timeout = options.user_timeout},
      output_(output),
      pool_(std::move(pool)),
      rng_(rng),
      quarantined_count_(metrics.counter("migd_stack_quarantined_connections_total")),
      cookies_sent_(metrics.counter("migd_syn_cookies_sent_total")),
      cookies_redeemed_(metrics.counter("migd_syn_cookies_redeemed_total")),
      windows_limited_(metrics.counter("migd_memory_limited_windows_total")),
      writes_limited_(metrics.counter("migd_memory_limited_writes_total")),
      black_holes_(metrics.counter("migd_path_black_holes_total")),
      isn_key_(make_key(rng)),
      start_(now),
      now_(now),
      wheel_(now),
      resting_wheel_(now),
      table_(make_key(rng), options.known_flows),
      resting_(make_key(rng), options.known_flows),
      memory_(options.memory),
      cookies_(isn_key_),
      outgoing_(options.link, pool_) {
  MIGD_CHECK(options.window > 0 && options.window <= limits::kWindowMax);
  MIGD_CHECK(options.send_buffer > 0 && options.send_buffer <= limits::kSendBufferMax);
  MIGD_CHECK(options.link.mtu >= limits::kMtuMin);
  settings_.stack = this;
  settings_.receive_window = std::min(options.window, ReceiveGrowth::kBegin);
  settings_.receive_slack = 0;
  settings_.send_buffer = options.send_buffer;
  settings_.mtu = options.link.mtu;
  settings_.link_mss_v4 = announced_mss(Family::kIpv4);
  settings_.link_mss_v6 = announced_mss(Family::kIpv6);
  settings_.receive_scale = scale_for(options.window);
  settings_.timestamp = timestamp;
  settings_.is_recent = is_recent;
  settings_.initial_sequence = initial_sequence;
  settings_.output = output_segment;
  settings_.segment_sent = segment_sent;
  settings_.segment_acked = segment_acked;
  settings_.ack_received = ack_received;
  settings_.output_window = output_window;
  settings_.assertion_failed = AssertionGuard::fail;

  adopted_.pcb.state = LISTEN;
  adopted_.pcb.accept = on_accepted;
  adopted_.stack = this;
}

StackImpl::~StackImpl() {
  for (TcpConnection* c = all_; c != nullptr; c = c->next_all_) {
    if (c->alive()) remove_pcb(*c, CloseReason::kLocalAbort);  // queues events: all must be there
  }
  while (all_ != nullptr)
    destroy(*all_);
  for (TimeWaitRecord* record : resting_)
    delete record;
}

// Packets to us must fit the larger encapsulation as well.
std::uint16_t StackImpl::announced_mss(Family family) const {
  const std::size_t taken = ip_header_size(family) + TCP_HLEN + options_.mss_reserve;
  const std::size_t mss = options_.link.mtu > taken ? options_.link.mtu - taken : 0;
  return static_cast<std::uint16_t>(std::max<std::size_t>(mss, TCP_MSS_MIN));
}

void StackImpl::shut_down(Instant now) {
  advance(now);
  shut_down_ = true;
  for (TimeWaitRecord* record : std::vector<TimeWaitRecord*>(resting_.begin(), resting_.end()))
    wake(*record);
  for (TcpConnection* c = all_; c != nullptr; c = c->next_all_) {
    if (!c->alive()) continue;
    if (c->frozen_) {
      remove_pcb(*c, CloseReason::kLocalAbort);  // stays frozen: its holder may still ask
    } else {
      reset(*c, CloseReason::kLocalAbort);
    }
  }
  send_unless_delivering();
}

// ---- connections ----

const std::string* StackImpl::intern(std::string name) {
  return &*names_.insert(std::move(name)).first;
}

Listener* StackImpl::listener_of(const Endpoint& local) {
  const auto found = std::find_if(listeners_.begin(), listeners_.end(),
                                  [&](const Listener& l) { return l.local == local; });
  return found == listeners_.end() ? nullptr : &*found;
}

Result<void> StackImpl::listen(const Endpoint& local, std::string service, AcceptHandler* handler) {
  MIGD_CHECK(handler != nullptr);
  if (local.port == 0) return fail(ErrorCode::kInvalidArgument, "a listener needs a port");
  if (listener_of(local) != nullptr) {
    return fail(ErrorCode::kInvalidArgument, local.to_string() + " has a listener already");
  }
  Listener& listener = listeners_.emplace_back();
  listener.stack = this;
  listener.local = local;
  listener.service = intern(std::move(service));
  listener.handler = handler;
  listener.pcb.state = LISTEN;
  listener.pcb.prio = TCP_PRIO_NORMAL;
  listener.pcb.local_ip = to_lwip(local.address);
  listener.pcb.local_port = local.port;
  listener.pcb.ttl = TCP_TTL;
  listener.pcb.accept = on_accepted;
  listener.pcb.callback_arg = &listener;
  listener.pcb.ext_args[0].callbacks = &kPcbCallbacks;
  listener.pcb.ext_args[0].data = &listener;
  return {};
}

// Both streams only ever move on from where the reference saw them.
Connection* StackImpl::find(const ConnectionReference& reference) {
  Connection* const found = look_up(reference.connection);
  if (found == nullptr || found->tuple() != reference.tuple) return nullptr;
  const ConnectionReference now = found->reference();
  const bool same =
      now.send_next >= reference.send_next && now.receive_next >= reference.receive_next;
  return same ? found : nullptr;
}

AcceptHandler* StackImpl::acceptor(const Endpoint& local) {
  const Listener* const listener = listener_of(local);
  return listener != nullptr ? listener->handler : nullptr;
}

AcceptHandler* StackImpl::acceptor_of(const TcpConnection& connection) const {
  if (connection.arrived_ && arrivals_ != nullptr) return arrivals_;
  return connection.listener_ != nullptr ? connection.listener_->handler : nullptr;
}

TcpConnection& StackImpl::make_connection(tcp_pcb* pcb, const FourTuple& tuple,
                                          const Tenure& tenure, const std::string* service) {
  auto* connection = new TcpConnection(*this, pcb, tuple, tenure, service);
  pcb->callback_arg = connection;
  pcb->ext_args[0].callbacks = &kPcbCallbacks;
  pcb->ext_args[0].data = connection;
  pcb->recv = on_received;
  pcb->errf = on_error;
  pcb->sent = nullptr;
  pcb->poll = nullptr;

  connection->next_all_ = all_;
  if (all_ != nullptr) all_->previous_all_ = connection;
  all_ = connection;
  table_.insert(*connection);
  connection->hashed_ = true;
  return *connection;
}

void StackImpl::recount(TcpConnection& connection) {
  std::uint64_t kept = connection.received_.size();
  if (connection.alive()) kept += connection.out_of_order_bytes_ + connection.queued();
  memory_.recount(connection.kept_, kept);
}

void StackImpl::enter_half_open(TcpConnection& connection, Listener& listener) {
  MIGD_CHECK(&listener == (connection.listener_ != nullptr ? connection.listener_ : &adopted_));
  connection.half_open_ = true;
  ++listener.half_open;
  ++half_open_count_;
}

void StackImpl::leave_half_open(TcpConnection& connection) {
  if (!connection.half_open_) return;
  --(connection.listener_ != nullptr ? *connection.listener_ : adopted_).half_open;
  --half_open_count_;
  connection.half_open_ = false;
}

void StackImpl::pcb_is_gone(TcpConnection& connection) {
  MIGD_CHECK(!connection.alive());
  connection.timer().cancel();
  connection.pause_reading(false);  // what is left to be read is nobody else's any more
  leave_half_open(connection);
  recount(connection);
  if (connection.hashed_) {
    table_.erase(connection);
    connection.hashed_ = false;
  }
  if (connection.reason_ == CloseReason::kFinished) {
    connection.finished_ = true;
  } else if (!connection.closed_told_) {
    connection.closed_told_ = true;
    connection.events_.closed = true;
  }
  connection.finish_if_read();
}

void StackImpl::destroy(TcpConnection& connection) {
  MIGD_CHECK(!connection.alive());
  if (connection.frozen_) --frozen_count_;
  memory_.recount(connection.kept_, 0);
  if (connection.touched_) {
    std::replace(touched_.begin(), touched_.end(), &connection,
                 static_cast<TcpConnection*>(nullptr));
  }
  if (connection.previous_all_ != nullptr) {
    connection.previous_all_->next_all_ = connection.next_all_;
  } else {
    all_ = connection.next_all_;
  }
  if (connection.next_all_ != nullptr) {
    connection.next_all_->previous_all_ = connection.previous_all_;
  }
  delete &connection;
}

void StackImpl::remove_pcb(TcpConnection& connection, CloseReason reason) {
  connection.reason_ = reason;
  connection.reason_known_ = true;
  serve(connection, [&connection] {
    tcp_pcb* const pcb = connection.pcb_;
    if (pcb->state == TIME_WAIT) {
      TCP_RMV(&tcp_tw_pcbs, pcb);
    } else {
      TCP_RMV_ACTIVE(pcb);
    }
    tcp_pcb_purge(pcb);
    tcp_free(pcb);
  });
}

void StackImpl::reset(TcpConnection& connection, CloseReason reason) {
  connection.reason_ = reason;
  connection.reason_known_ = true;
  serve(connection, [&connection] {
    tcp_clear_flags(connection.pcb_, TF_ACK_DELAY | TF_ACK_NOW);  // the RST says it all
    tcp_abort(connection.pcb_);
  });
}

void StackImpl::for_each(const std::function<void(Connection&)>& visit) {
  const std::vector<TcpConnection*> connections(table_.begin(), table_.end());
  std::vector<ConnectionId> resting;
  resting.reserve(resting_.size());
  for (const TimeWaitRecord* record : resting_)
    resting.push_back(record->id());
  for (TcpConnection* connection : connections) {
    if (connection->hashed_) visit(*connection);  // objects die in deliver_events() only
  }
  // One after the other: all of them at once would take three times the memory.
  for (const ConnectionId& id : resting) {
    TimeWaitRecord* const record = resting_.find(id);
    TcpConnection* const connection = record != nullptr ? wake(*record) : nullptr;
    if (connection == nullptr) continue;  // or the visit of another has woken it
    visit(*connection);
    if (can_rest(*connection)) {
      put_to_rest(*connection);
    } else {
      rest_again(*connection);
    }
  }
}

ConnectionCounts StackImpl::counts() const {
  return {.total = static_cast<std::uint32_t>(connections()),
          .resting = static_cast<std::uint32_t>(resting_.size()),
          .half_open = half_open_count_,
          .frozen = frozen_count_,
          .memory = memory_.kept()};
}

std::uint32_t StackImpl::room() const {
  if (memory_.full()) return 0;
  const std::size_t taken = connections() + reserved_;
  return taken < options_.connections_max
             ? options_.connections_max - static_cast<std::uint32_t>(taken)
             : 0;
}

std::optional<DropReason> StackImpl::no_room() const {
  if (memory_.full()) return DropReason::kMemoryLimit;
  if (room() == 0) return DropReason::kTooManyConnections;
  return std::nullopt;
}

// ---- timers ----

void StackImpl::arm(TcpConnection& connection) {
  if (!connection.alive() || connection.frozen_) return;
  const Instant deadline =
      connection.timers_.deadline(*connection.pcb_, connection.recovery_, timer_limits_);
  if (deadline == kNever) {
    connection.timer().cancel();
  } else if (!connection.timer().armed() || connection.timer().deadline() != deadline) {
    wheel_.arm(connection.timer(), deadline);
  }
}

void StackImpl::resume_timers(TcpConnection& connection) {
  connection.timers_.resume(now_);
  RestingRecovery& recovery = connection.recovery_;
  if (!recovery.resting()) recovery.wake(*connection.pcb_).resume(now_);
  arm(connection);
}

void StackImpl::on_deadline(Instant now) {
  advance(now);
  while (TimerWheel::Node* node = resting_wheel_.pop_expired(now)) {
    auto& record = static_cast<TimeWaitRecord&>(*node);
    if (wake(record) == nullptr) resting_wheel_.arm(record, now + kWakeAgain);
  }
  while (TimerWheel::Node* node = wheel_.pop_expired(now)) {
    run_timer(static_cast<TcpConnection&>(*node));
  }
  send_unless_delivering();
}

void StackImpl::run_timer(TcpConnection& connection) {
  auto outcome = PcbTimers::Outcome::kGoesOn;
  const bool survived = serve(connection, [this, &connection, &outcome] {
    outcome =
        connection.timers_.expire(*connection.pcb_, connection.recovery_, now_, timer_limits_);
  });
  if (!survived) return;
  switch (outcome) {
    case PcbTimers::Outcome::kGoesOn:
      return;
    case PcbTimers::Outcome::kFinished:
      return remove_pcb(connection, CloseReason::kFinished);
    case PcbTimers::Outcome::kTimedOut:
      return remove_pcb(connection, CloseReason::kTimedOut);
    case PcbTimers::Outcome::kUnheard:
      return reset(connection, CloseReason::kTimedOut);
    case PcbTimers::Outcome::kTooBig:
      return try_smaller_segments(connection);
  }
}

}  // namespace migd
