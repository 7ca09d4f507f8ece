// What one looks at when a seed fails: MIGD_SIM_TRACE=1 prints every packet and message of a run,
// MIGD_SIM_PCAP=FILE writes every packet as it was sent.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "base/messages.h"
#include "tests/sim/net.h"

namespace migd::sim {

class Trace : public NetObserver {
 public:
  explicit Trace(const SimNet& net);  // what it does is said by the environment
  ~Trace() override;
  bool wanted() const { return print_ || pcap_ != nullptr; }

  void on_crossing(const Crossing& crossing) override;
  void on_message(PortId node, Instant at, const Message& message);
  void note(Instant at, const std::string& line);

 private:
  void write_packet(Instant at, ByteView packet);

  const SimNet& net_;
  bool print_ = false;
  std::FILE* pcap_ = nullptr;
};

}  // namespace migd::sim
