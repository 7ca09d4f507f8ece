// A StreamNetwork in memory. What connects is answered by the FakeServer that the test has put at
// the address; without one the connection fails. Nothing happens inside a call: run_once() does
// what is due, as an event loop would.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/stream_socket.h"

namespace migd {

// The server's end of one local connection.
struct FakeLeg {
  // ---- what the relay has done ----
  Bytes received;             // by the server
  bool end_received = false;  // shutdown_write() by the relay
  bool reset_received = false;
  bool closed_by_relay = false;

  // ---- what the server does ----
  std::size_t takes = SIZE_MAX;  // how many more bytes the server's socket buffer takes
  void send(ByteView bytes) { append(to_send, bytes); }
  void end() { end_due = true; }
  void reset() { reset_due = true; }
  bool paused = false;  // the relay does not read

  Bytes to_send;
  bool end_due = false;
  bool reset_due = false;
};

class FakeStreamNetwork : public StreamNetwork {
 public:
  // Called whenever a leg has received something (its end included).
  using Server = std::function<void(FakeLeg&)>;
  void serve(const std::string& address, Server server) { servers_[address] = std::move(server); }
  // A server that must be polled: called for every leg at each run.
  const std::vector<std::shared_ptr<FakeLeg>>& legs() const { return legs_; }
  std::size_t read_size = 65536;  // the most that one on_data() brings

  std::unique_ptr<StreamSocket> connect(const StreamAddress& to,
                                        StreamSocketHandler* handler) override;
  // Does what is due on each socket once; false when nothing was.
  bool run_once();

  class Socket;

 private:
  friend class Socket;
  std::map<std::string, Server> servers_;
  std::vector<std::shared_ptr<FakeLeg>> legs_;
  std::vector<Socket*> sockets_;
};

}  // namespace migd
