#include "tests/app/fake_stream_network.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace migd {

class FakeStreamNetwork::Socket : public StreamSocket {
 public:
  Socket(FakeStreamNetwork& network, Server* server, StreamSocketHandler* handler)
      : network_(network), server_(server), handler_(handler), leg_(std::make_shared<FakeLeg>()) {
    network_.sockets_.push_back(this);
  }
  ~Socket() override {
    leg_->closed_by_relay = true;
    if (!leg_->reset_received && pending_.empty()) leg_->end_received = true;
    std::erase(network_.sockets_, this);
  }

  std::shared_ptr<FakeLeg> leg() const { return leg_; }

  void set_handler(StreamSocketHandler* handler) override { handler_ = handler; }
  void write(ByteView bytes) override {
    MIGD_CHECK(!shutdown_wanted_);
    append(pending_, bytes);
    drained_due_ = true;
    hand_over();
  }
  std::size_t pending_bytes() const override { return pending_.size(); }
  void pause_reading(bool paused) override { leg_->paused = paused; }
  void shutdown_write() override { shutdown_wanted_ = true; }
  void reset() override {
    leg_->reset_received = true;
    closed_ = reset_due_ = true;
  }

  // One thing that is due, at most: the handler may destroy this socket in it.
  bool run_once() {
    if (done_) return false;
    if (server_ == nullptr || reset_due_ || leg_->reset_due) return tell_closed(true);
    if (!std::exchange(connected_, true)) {
      handler_->on_connected();
      return true;
    }
    return receive() || tell_drained() || send() || tell_end() || tell_both_ended();
  }

 private:
  void hand_over() {
    if (!connected_ || closed_) return;
    const std::size_t size = std::min(pending_.size(), leg_->takes);
    const auto end = pending_.begin() + static_cast<std::ptrdiff_t>(size);
    leg_->received.insert(leg_->received.end(), pending_.begin(), end);
    pending_.erase(pending_.begin(), end);
    if (leg_->takes != SIZE_MAX) leg_->takes -= size;
    server_due_ = server_due_ || size > 0;
  }

  bool receive() {
    hand_over();
    if (shutdown_wanted_ && pending_.empty() && !leg_->end_received) {
      leg_->end_received = server_due_ = true;
    }
    if (!std::exchange(server_due_, false)) return false;
    (*server_)(*leg_);
    return true;
  }

  bool tell_drained() {
    if (!pending_.empty() || !std::exchange(drained_due_, false)) return false;
    handler_->on_drained();
    return true;
  }

  bool send() {
    if (leg_->paused || leg_->to_send.empty()) return false;
    const std::size_t size = std::min(network_.read_size, leg_->to_send.size());
    const auto end = leg_->to_send.begin() + static_cast<std::ptrdiff_t>(size);
    const Bytes piece(leg_->to_send.begin(), end);
    leg_->to_send.erase(leg_->to_send.begin(), end);
    handler_->on_data(piece);
    return true;
  }

  bool tell_end() {
    if (leg_->paused || !leg_->end_due || std::exchange(end_told_, true)) return false;
    handler_->on_end();
    return true;
  }

  bool tell_both_ended() {
    if (!end_told_ || !leg_->end_received) return false;
    return tell_closed(false);
  }

  bool tell_closed(bool reset) {
    done_ = closed_ = true;
    handler_->on_closed(reset);
    return true;
  }

  FakeStreamNetwork& network_;
  Server* server_;
  StreamSocketHandler* handler_;
  std::shared_ptr<FakeLeg> leg_;
  Bytes pending_;
  bool connected_ = false;
  bool closed_ = false;
  bool done_ = false;
  bool reset_due_ = false;
  bool drained_due_ = false;
  bool server_due_ = false;
  bool end_told_ = false;
  bool shutdown_wanted_ = false;
};

std::unique_ptr<StreamSocket> FakeStreamNetwork::connect(const StreamAddress& to,
                                                         StreamSocketHandler* handler) {
  const auto found = servers_.find(to.to_string());
  auto socket =
      std::make_unique<Socket>(*this, found == servers_.end() ? nullptr : &found->second, handler);
  legs_.push_back(socket->leg());
  return socket;
}

bool FakeStreamNetwork::run_once() {
  bool any = false;
  for (Socket* socket : std::vector<Socket*>(sockets_)) {
    const bool alive = std::find(sockets_.begin(), sockets_.end(), socket) != sockets_.end();
    any = (alive && socket->run_once()) || any;
  }
  return any;
}

}  // namespace migd
