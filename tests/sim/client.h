// SimClient: a scripted TCP client with a port, a clock and a process of its own. The steps of its
// script run one after the other; each waits for what it names. Both byte streams are recorded by
// its Tcp.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/net.h"
#include "tests/sim/tcp.h"
#include "tests/support/sim_loop.h"

namespace migd::sim {

// Byte `position` of the payload of every test: a ramp of prime length, so that lost, repeated and
// shifted blocks all show.
inline std::uint8_t ramp_at(std::uint64_t position) {
  return static_cast<std::uint8_t>(position % 251);
}
Bytes ramp(std::uint64_t first, std::size_t size);

// What was received as HTTP/1.1 responses with Content-Length; an incomplete one comes last.
struct HttpResponse {
  int status = 0;
  ByteView body;
  bool complete = false;
};
std::vector<HttpResponse> http_responses(ByteView stream);

class SimClient {
 public:
  SimClient(SimNet& net, SimLoop& world, std::string name, const TcpConfig& config,
            SimClock clock = {});

  // ---- the script ----
  SimClient& send(Bytes bytes);
  SimClient& send(std::string_view text) { return send(to_bytes(as_bytes(text))); }
  SimClient& send_ramp(std::size_t size);        // goes on where the last one ended
  SimClient& await_bytes(std::size_t more);      // received after those awaited before
  SimClient& await_responses(std::size_t more);  // HTTP
  SimClient& await_end();                        // the peer's FIN, everything acknowledged
  SimClient& await_acknowledged();               // our FIN
  SimClient& ping_pong(std::size_t rounds, std::size_t size);
  SimClient& sleep(Duration d);
  SimClient& stop_reading();
  SimClient& start_reading();
  SimClient& read_slowly(std::size_t bytes, std::size_t chunk, Duration every);
  SimClient& shutdown_write();
  SimClient& abort();

  void start();  // the SYN leaves now
  bool finished() const { return step_ == steps_.size() || failed(); }
  bool failed() const;  // ended before its script did
  std::string progress() const;

  Tcp& tcp() { return *tcp_; }
  const Tcp& tcp() const { return *tcp_; }
  PortId port() const { return port_; }
  const std::string& name() const { return name_; }
  SimNodeLoop& loop() { return loop_; }

 private:
  struct Step {
    std::string name;
    std::function<bool()> run;  // true: done; called again after every change
  };
  SimClient& add(std::string name, std::function<bool()> run);
  void advance();

  std::string name_;
  SimNodeLoop loop_;
  PortId port_;
  std::unique_ptr<Tcp> tcp_;
  std::unique_ptr<Timer> wake_;
  std::vector<Step> steps_;
  std::size_t step_ = 0;
  bool advancing_ = false;
  std::uint64_t ramp_sent_ = 0;
  std::size_t bytes_awaited_ = 0, responses_awaited_ = 0;
};

}  // namespace migd::sim
