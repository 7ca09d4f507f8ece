// A Connection in memory: what the client sends is what the test puts in, in the pieces it puts it
// in; what the application writes is what the test takes out, which is what gives room again. It
// CHECKs the rights by phase that stack/connection.h promises, and travels: move_out() and the
// second constructor are what capture and attach are to the stack.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "base/check.h"
#include "stack/connection.h"

namespace migd {

class FakeConnection : public Connection {
 public:
  struct Options {
    std::size_t send_buffer = 1u << 20;
    bool closed_at_once = false;  // abort() calls on_closed() itself, not a later event
  };
  // All that travels with a connection apart from its application's state.
  struct Carried {
    Options options;
    std::deque<Bytes> unread;
    Bytes unsent;
    bool peer_closed = false;
    bool fin_sent = false;
  };

  FakeConnection() : FakeConnection(Options{}) {}
  explicit FakeConnection(Options options) { carried_.options = options; }
  // One that has just come in: frozen.
  explicit FakeConnection(Carried carried) : carried_(std::move(carried)), frozen_(true) {}

  // ---- the client ----
  void client_sends(ByteView bytes) {
    if (bytes.empty() || read_closed_) return;
    carried_.unread.push_back(to_bytes(bytes));
    readable_due_ = true;
  }
  void client_closes() { carried_.peer_closed = peer_closed_due_ = true; }
  void client_resets() { closed_due_ = CloseReason::kPeerReset; }
  Bytes client_takes(std::size_t bytes_max) {
    const std::size_t size = std::min(bytes_max, carried_.unsent.size());
    const auto end = carried_.unsent.begin() + static_cast<std::ptrdiff_t>(size);
    Bytes taken(carried_.unsent.begin(), end);
    carried_.unsent.erase(carried_.unsent.begin(), end);
    if (size > 0) writable_due_ = true;
    return taken;
  }
  bool client_sees_fin() const { return carried_.fin_sent && carried_.unsent.empty(); }
  bool aborted() const { return aborted_; }
  bool gone() const { return gone_; }
  std::size_t closes() const { return closes_; }  // calls of close(), here

  // Calls the handler until no event is left.
  void deliver_events() {
    while (!gone_ && !frozen_ && handler_ != nullptr && deliver_one()) {
    }
    end_if_both_closed();
  }

  // ---- the migrator ----
  void freeze() {
    frozen_ = true;
    if (handler_ != nullptr) handler_->on_frozen(*this);
  }
  void thaw() {
    frozen_ = false;
    if (handler_ != nullptr) handler_->on_thawed(*this);
  }
  const Carried& carried() const { return carried_; }
  void release() { tell_closed(CloseReason::kMigrated); }

  // ---- Connection ----
  const ConnectionId& id() const override { return id_; }
  void set_id(const ConnectionId& id) { id_ = id; }
  Epoch epoch() const override { return epoch_; }
  void set_epoch(Epoch epoch) override { epoch_ = epoch; }
  const FourTuple& tuple() const override { return tuple_; }
  const std::string& service() const override { return service_; }
  TcpState state() const override {
    if (carried_.fin_sent) return carried_.peer_closed ? TcpState::kLastAck : TcpState::kFinWait2;
    return carried_.peer_closed ? TcpState::kCloseWait : TcpState::kEstablished;
  }
  ConnectionReference reference() const override { return {id_, tuple_, {}, {}}; }
  bool frozen() const override { return frozen_; }
  const std::string& application() const override { return application_; }
  void bind(std::string application, ConnectionHandler* handler) override {
    application_ = std::move(application);
    handler_ = handler;
  }
  ConnectionHandler* handler() const override { return handler_; }
  bool application_done() const override {
    return read_closed_ || (carried_.fin_sent && carried_.peer_closed && carried_.unread.empty());
  }

  std::size_t readable() const override {
    check_usable();
    std::size_t sum = 0;
    for (const Bytes& piece : carried_.unread)
      sum += piece.size();
    return sum;
  }
  std::size_t peek(std::size_t offset, MutableBytes out) const override {
    check_usable();
    std::size_t copied = 0;
    for (const Bytes& piece : carried_.unread) {
      for (std::size_t i = 0; i < piece.size() && copied < out.size(); ++i) {
        if (offset > 0) {
          --offset;
        } else {
          out[copied++] = piece[i];
        }
      }
    }
    return copied;
  }
  ByteView peek_front() const override {
    check_usable();
    return carried_.unread.empty() ? ByteView{} : ByteView(carried_.unread.front());
  }
  void consume(std::size_t n) override {
    check_usable();
    bytes_in_ += n;
    while (n > 0) {
      MIGD_CHECK(!carried_.unread.empty());
      Bytes& front = carried_.unread.front();
      const std::size_t step = std::min(n, front.size());
      front.erase(front.begin(), front.begin() + static_cast<std::ptrdiff_t>(step));
      if (front.empty()) carried_.unread.pop_front();
      n -= step;
    }
  }
  std::uint32_t receive_window() const override { return 1u << 20; }
  bool peer_closed() const override {
    check_usable();
    return carried_.peer_closed;
  }
  void read_later() override { readable_due_ = readable_due_ || readable() > 0; }
  std::size_t writable() const override {
    check_usable();
    if (carried_.fin_sent || writing_paused_) return 0;
    return carried_.options.send_buffer - std::min(carried_.options.send_buffer, unsent());
  }
  std::size_t write(ByteView bytes) override {
    const std::size_t size = std::min(bytes.size(), writable());
    append(carried_.unsent, bytes.first(size));
    bytes_out_ += size;
    return size;
  }
  void pause_reading(bool /*paused*/) override {}
  void pause_writing(bool paused) override {
    if (std::exchange(writing_paused_, paused) && !paused) writable_due_ = true;
  }
  std::size_t unsent() const override { return carried_.unsent.size(); }
  std::size_t unacknowledged() const override { return 0; }

  void shutdown_write() override {
    check_usable();
    MIGD_CHECK(!carried_.fin_sent);
    carried_.fin_sent = true;
  }
  void close() override {
    check_usable();
    read_closed_ = true;
    ++closes_;
    carried_.unread.clear();
    carried_.fin_sent = true;
  }
  void abort() override {
    check_usable();
    aborted_ = true;
    carried_.unsent.clear();
    if (carried_.options.closed_at_once) {
      tell_closed(CloseReason::kLocalAbort);
    } else {
      closed_due_ = CloseReason::kLocalAbort;
    }
  }
  Result<void> migrate(NodeId, std::string, Bytes) override {
    return fail(ErrorCode::kUnavailable, "not in this test");
  }
  std::uint64_t bytes_in() const override { return bytes_in_; }
  std::uint64_t bytes_out() const override { return bytes_out_; }
  Duration age() const override { return 1s; }
  Duration smoothed_rtt() const override { return 1ms; }
  Duration least_rtt() const override { return 1ms; }

 private:
  void check_usable() const { MIGD_CHECK(!frozen_ && !gone_); }

  bool deliver_one() {
    if (closed_due_) {
      tell_closed(*closed_due_);
    } else if (std::exchange(readable_due_, false)) {
      handler_->on_readable(*this);
    } else if (std::exchange(peer_closed_due_, false)) {
      handler_->on_peer_closed(*this);
    } else if (std::exchange(writable_due_, false)) {
      handler_->on_writable(*this);
    } else {
      return false;
    }
    return true;
  }

  void end_if_both_closed() {
    if (!gone_ && !frozen_ && carried_.peer_closed && client_sees_fin()) {
      tell_closed(CloseReason::kFinished);
    }
  }

  void tell_closed(CloseReason reason) {
    if (std::exchange(gone_, true)) return;
    if (handler_ != nullptr) handler_->on_closed(*this, reason);
  }

  Carried carried_;
  bool frozen_ = false;
  bool read_closed_ = false;
  bool writing_paused_ = false;
  bool aborted_ = false;
  bool gone_ = false;
  std::size_t closes_ = 0;
  bool readable_due_ = false;
  bool writable_due_ = false;
  bool peer_closed_due_ = false;
  std::optional<CloseReason> closed_due_;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
  ConnectionId id_{NodeId{1}, Boot{0x010203040506}, 7};
  Epoch epoch_{1};
  FourTuple tuple_{{IpAddress::v4(0x0a4d0001), 80}, {IpAddress::v4(0x0a4d0102), 40000}};
  std::string service_ = "web";
  std::string application_;
  ConnectionHandler* handler_ = nullptr;
};

}  // namespace migd
