#include "cli/node_streams.h"

#include <utility>

namespace migd {

class NodeStreams::Socket : public StreamSocket, private StreamSocketHandler {
 public:
  Socket(NodeStreams& streams, const StreamAddress& to, StreamSocketHandler* handler)
      : streams_(streams), handler_(handler), socket_(streams.system_.connect(to, this)) {}

  void set_handler(StreamSocketHandler* handler) override { handler_ = handler; }
  void write(ByteView bytes) override { socket_->write(bytes); }
  std::size_t pending_bytes() const override { return socket_->pending_bytes(); }
  void pause_reading(bool paused) override { socket_->pause_reading(paused); }
  void shutdown_write() override { socket_->shutdown_write(); }
  void reset() override { socket_->reset(); }

 private:
  void on_connected() override {
    tell([this] { handler_->on_connected(); });
  }
  void on_data(ByteView bytes) override {
    tell([this, bytes] { handler_->on_data(bytes); });
  }
  void on_end() override {
    tell([this] { handler_->on_end(); });
  }
  void on_drained() override {
    tell([this] { handler_->on_drained(); });
  }
  void on_closed(bool reset) override {
    tell([this, reset] { handler_->on_closed(reset); });
  }

  // The handler may destroy this socket.
  template <typename Call>
  void tell(const Call& call) {
    const Turn& turn = streams_.turn_;
    turn.begin();
    if (handler_ != nullptr) call();
    turn.end();
  }

  NodeStreams& streams_;
  StreamSocketHandler* handler_;
  std::unique_ptr<StreamSocket> socket_;
};

std::unique_ptr<StreamSocket> NodeStreams::connect(const StreamAddress& to,
                                                   StreamSocketHandler* handler) {
  return std::make_unique<Socket>(*this, to, handler);
}

}  // namespace migd
