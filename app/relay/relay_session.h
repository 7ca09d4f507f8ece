// One relayed connection: its bytes to and from a server of this machine, and when between the two
// the connection can move: nothing is held here, and the server is not in the middle of an answer.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/relay/http_observer.h"
#include "app/session.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/stream_socket.h"

namespace migd {

// What the sessions of one relay share.
struct RelayEnvironment {
  std::string application;
  StreamAddress address;
  bool proxy_header;
  bool http_idle;
  StreamNetwork& network;
  Log& log;
  Counter& connect_failures;
};

class RelaySession : public Session, private StreamSocketHandler {
 public:
  RelaySession(StateTag tag, Connection& connection, RelayEnvironment& environment);

  Blockers blockers() const override;

 private:
  // ---- Session ----
  void advance() override;
  void write_state(ByteWriter&) const override {}
  void pause() override { update_reading(); }
  void resume() override { update_reading(); }
  void ended(CloseReason reason) override;

  // ---- StreamSocketHandler ----
  void on_connected() override;
  void on_data(ByteView bytes) override;
  void on_end() override;
  void on_drained() override { enter(); }
  void on_closed(bool reset) override;
  using Session::on_closed;

  void pass_to_server();
  void consume_taken();
  void pass_to_client();
  void pass_ends();
  void report_failure();
  void update_reading();
  bool movable() const;

  enum class Server { kConnecting, kOpen, kClosed, kReset };

  RelayEnvironment& environment_;
  std::unique_ptr<StreamSocket> socket_;
  Server server_ = Server::kConnecting;
  bool server_ended_ = false;  // has shut down its writing half
  bool client_end_passed_ = false;
  bool server_end_passed_ = false;
  bool used_ = false;             // a byte has gone to the server, or come from it
  std::size_t handed_bytes_ = 0;  // at the front of the connection's unread data: written to the
                                  // socket, and to be consumed once the system has taken them
  Bytes held_;                    // read from the server, and not yet taken by the connection
  std::optional<HttpObserver> observer_;
};

}  // namespace migd
