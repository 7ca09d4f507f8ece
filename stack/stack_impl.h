// The Stack around lwIP; stack.h says what it does, and how.
//
// Every entry into lwIP is a serve(): the scope is switched, the guard stands, and afterwards the
// connection's timers and events are brought up to date. Segments that lwIP sends meanwhile are
// copied into frames and wait in `outgoing_` until lwIP has returned: whoever takes them may well
// come back with an answer at once.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/packet.h"
#include "base/timer_wheel.h"
#include "stack/assertion_guard.h"
#include "stack/connection_table.h"
#include "stack/egress_queue.h"
#include "stack/instance_scope.h"
#include "stack/memory_budget.h"
#include "stack/stack.h"
#include "stack/syn_cookies.h"
#include "stack/tcp_connection.h"
#include "stack/time_wait_record.h"

namespace migd {

struct HandshakeSegment;

class StackImpl final : public Stack {
 public:
  StackImpl(const StackOptions& options, FrameSink& output, std::shared_ptr<FramePool> pool,
            Rng& rng, Metrics& metrics, Instant now);
  ~StackImpl() override;

  InputVerdict input(Frame& frame, Instant now) override;
  bool complete_handshake(Frame& frame, Instant now) override;
  Connection* find(const FourTuple& tuple) override { return look_up(tuple); }
  Connection* find(const ConnectionId& id) override { return look_up(id); }
  Connection* find(const ConnectionReference& reference) override;
  void for_each(const std::function<void(Connection&)>& visit) override;
  ConnectionCounts counts() const override;
  std::uint32_t room() const override;
  void reserve(std::uint32_t connections) override { reserved_ = connections; }

  Instant next_deadline() const override {
    return std::min(wheel_.next_deadline(), resting_wheel_.next_deadline());
  }
  void on_deadline(Instant now) override;
  void deliver_events(Instant now) override;
  void send_written(Instant now) override;

  Result<void> listen(const Endpoint& local, std::string service, AcceptHandler* handler) override;

  void set_migration_service(MigrationService* service) override { migration_ = service; }
  void set_observer(ConnectionObserver* observer) override { observer_ = observer; }
  AcceptHandler* acceptor(const Endpoint& local) override;
  void set_arrival_handler(AcceptHandler* handler) override { arrivals_ = handler; }
  FrozenConnection freeze(Connection& connection, Instant now) override;
  TcpSnapshot capture(const FrozenConnection& frozen, Instant now) const override;
  Result<FrozenConnection> attach(const TcpSnapshot& snapshot, const Tenure& tenure,
                                  std::string service, Duration held, Instant now) override;
  void thaw(FrozenConnection frozen, Instant now) override;
  void release(FrozenConnection frozen, CloseReason reason) override;

  void shut_down(Instant now) override;

  const DropCounters& drops() const override { return drops_; }

 private:
  friend class TcpConnection;

  struct Segment {  // one parsed packet
    IpHeader ip;
    TcpView tcp;
    FourTuple tuple;
  };

  // ---- entries into lwIP ----
  // Runs `call`, a small lambda, inside lwIP for this connection, which must be alive. False when
  // an assertion failed: the connection is quarantined then. Afterwards its PCB may be gone.
  template <typename Call>
  bool serve(TcpConnection& connection, Call call) {
    const PcbMark mark = PcbTimers::before(*connection.pcb_);
    bool survived = false;
    {
      InstanceScope scope(settings_for(connection), ticks(), connection.pcb_, nullptr);
      TcpConnection* const outer = std::exchange(serving_, &connection);
      survived = AssertionGuard::run(call);
      serving_ = outer;
      if (!survived) scope.reset_after_failure();
    }
    if (survived) {
      after_entry(connection, mark);
    } else {
      quarantine(connection);
    }
    return survived;
  }
  void after_entry(TcpConnection& connection, const PcbMark& mark);
  void quarantine(TcpConnection& connection);
  LwipSettings settings_for(const TcpConnection& connection) const;
  std::uint32_t ticks() const;

  // lwIP's callbacks; all of them only note what happened.
  static std::int8_t on_received(void* argument, tcp_pcb* pcb, pbuf* data, err_t error);
  static void on_error(void* argument, err_t error);
  static std::int8_t on_accepted(void* argument, tcp_pcb* pcb, err_t error);
  static std::int8_t on_passive_open(std::uint8_t id, tcp_pcb_listen* listener, tcp_pcb* pcb);
  static void on_destroyed(std::uint8_t id, void* connection);
  static const tcp_ext_arg_callbacks kPcbCallbacks;
  static void output_segment(const pbuf* segment, const ip_addr_t* source,
                             const ip_addr_t* destination, std::uint8_t hop_limit,
                             std::uint8_t traffic_class);
  static std::uint32_t timestamp(const tcp_pcb* pcb);
  static void segment_sent(tcp_pcb* pcb, tcp_seg* segment);
  static void segment_acked(tcp_pcb* pcb, const tcp_seg* segment);
  static void ack_received(tcp_pcb* pcb, std::uint32_t acked, int duplicate);
  static std::uint32_t output_window(tcp_pcb* pcb);
  static int is_recent(const tcp_pcb* pcb, std::uint32_t tsval);
  static std::uint32_t initial_sequence(const ip_addr_t* local, std::uint16_t local_port,
                                        const ip_addr_t* remote, std::uint16_t remote_port);
  static LossRecovery::At recovery_at(TcpConnection& connection);
  static StackImpl& inside() { return *static_cast<StackImpl*>(::migd_lwip.stack); }

  // ---- packets ----
  tl::expected<Segment, DropReason> parse(Frame& frame) const;
  InputVerdict input_for_listener(Frame& frame, const Segment& segment);
  // Gives a SYN to lwIP. Null: it has made no connection.
  TcpConnection* open(Frame& frame, const Segment& segment, Listener& listener);
  void answer_with_cookie(const Segment& syn);
  TcpConnection* open_again(const IpHeader& ip, const HandshakeSegment& syn, SeqNum sequence,
                            Listener& listener);
  static bool can_be_a_peer(const IpHeader& ip);
  std::uint16_t announced_mss(Family family) const;
  void input_for_connection(TcpConnection& connection, Frame& frame, const Segment& segment);
  bool fits_memory(const TcpConnection& connection, Frame& frame, const Segment& segment);
  InputVerdict input_icmp(const Frame& frame, const IpHeader& ip);
  void try_smaller_segments(TcpConnection& connection);
  void lower_path_mtu(TcpConnection& connection, std::uint16_t mtu);
  void drop(DropReason reason) { drops_.count(reason); }
  std::optional<DropReason> no_room() const;  // why no client's connection can begin now
  void send_outgoing();
  void send_unless_delivering();  // deliver_events() sends once for all

  // ---- connections ----
  TcpConnection& make_connection(tcp_pcb* pcb, const FourTuple& tuple, const Tenure& tenure,
                                 const std::string* service);
  // From a snapshot whose rules hold, of `held` ago. It is not armed, and tells nothing yet.
  Result<TcpConnection*> restore(const TcpSnapshot& snapshot, const Tenure& tenure,
                                 const std::string* service, Duration held);
  void recount(TcpConnection& connection);  // what it keeps, whenever that has changed
  // Its window as far as memory goes, unless more is promised.
  std::uint32_t window_now(std::uint32_t limit) const {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(limit, memory_.share(table_.size())));
  }
  // It is open less than it might be: memory was scarce.
  bool window_withheld(const TcpConnection& connection) const;
  void enter_half_open(TcpConnection& connection, Listener& listener);
  void leave_half_open(TcpConnection& connection);
  void remove_pcb(TcpConnection& connection, CloseReason reason);  // without a segment
  void reset(TcpConnection& connection, CloseReason reason);       // with a RST
  void pcb_is_gone(TcpConnection& connection);
  void destroy(TcpConnection& connection);
  Listener* listener_of(const Endpoint& local);
  AcceptHandler* acceptor_of(const TcpConnection& connection) const;
  const std::string* intern(std::string name);

  // ---- connections in TIME_WAIT (stack/time_wait_record.h) ----
  static bool can_rest(const TcpConnection& connection);
  void put_to_rest(TcpConnection& connection);  // destroys it
  // Destroys the record. Null: there is no memory, and the record stays.
  TcpConnection* wake(TimeWaitRecord& record);
  void rest_again(TcpConnection& connection);  // once there is no more to do
  // One that rests is woken.
  template <typename Key>
  TcpConnection* look_up(const Key& key) {
    if (TcpConnection* const found = table_.find(key)) return found;
    TimeWaitRecord* const record = resting_.empty() ? nullptr : resting_.find(key);
    TcpConnection* const woken = record != nullptr ? wake(*record) : nullptr;
    if (woken != nullptr) rest_again(*woken);
    return woken;
  }
  std::size_t connections() const { return table_.size() + resting_.size(); }

  // ---- timers and events ----
  void arm(TcpConnection& connection);
  void resume_timers(TcpConnection& connection);  // after a freeze, or a snapshot
  void run_timer(TcpConnection& connection);
  void touch(TcpConnection& connection);
  void queue_event(TcpConnection& connection);
  bool deliver_one(TcpConnection& connection);  // false: nothing to tell now, or it is destroyed
  void flush_touched();
  void flush(TcpConnection& connection);
  void grow_window(TcpConnection& connection, std::uint32_t consumed);
  void advance(Instant now) { now_ = std::max(now_, now); }

  const StackOptions options_;
  const TimerLimits timer_limits_;
  FrameSink& output_;
  const std::shared_ptr<FramePool> pool_;
  Rng& rng_;
  Counter& quarantined_count_;
  Counter& cookies_sent_;
  Counter& cookies_redeemed_;
  Counter& windows_limited_;  // opened less than they would have been, for want of memory
  Counter& writes_limited_;   // took less, so
  Counter& black_holes_;      // paths that were taken for narrower than anybody says
  const SipKey isn_key_;
  const Instant start_;
  Instant now_;
  LwipSettings settings_{};

  TimerWheel wheel_;
  TimerWheel resting_wheel_;
  ConnectionTable<TcpConnection> table_;
  ConnectionTable<TimeWaitRecord> resting_;  // owned
  MemoryBudget memory_;
  SynCookies cookies_;
  std::deque<Listener> listeners_;  // stable addresses; few
  Listener adopted_;                // for SYN_RCVD connections that came in to where nobody listens
  std::set<std::string> names_;
  std::uint64_t next_counter_ = 1;
  std::uint32_t frozen_count_ = 0;
  std::uint32_t half_open_count_ = 0;
  std::uint32_t reserved_ = 0;  // connections that have been promised room

  TcpConnection* serving_ = nullptr;  // inside lwIP, for this one
  TcpConnection* opened_ = nullptr;   // inside lwIP, made by a SYN
  std::uint16_t syn_mss_ = 0;         // of the SYN that is being answered
  LossRecovery::Ack ack_;             // that is being processed
  // RFC 6191: above the last of the connection it follows; or what a SYN cookie said.
  std::optional<SeqNum> forced_isn_;
  bool silent_ = false;  // what lwIP sends has been sent already
  TcpConnection* all_ = nullptr;
  TcpConnection* first_event_ = nullptr;
  TcpConnection* last_event_ = nullptr;
  std::vector<TcpConnection*> touched_;
  EgressQueue outgoing_;
  bool delivering_ = false;
  bool sending_ = false;
  bool shut_down_ = false;

  MigrationService* migration_ = nullptr;
  ConnectionObserver* observer_ = nullptr;
  AcceptHandler* arrivals_ = nullptr;
  DropCounters drops_;
};

}  // namespace migd
