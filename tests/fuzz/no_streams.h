// For nodes whose services have no servers of their own behind them.
#pragma once

#include <memory>

#include "base/check.h"
#include "base/stream_socket.h"

namespace migd::fuzz {

class NoStreams : public StreamNetwork {
 public:
  std::unique_ptr<StreamSocket> connect(const StreamAddress&, StreamSocketHandler*) override {
    check_failed("nothing connects", __FILE__, __LINE__);
  }
};

}  // namespace migd::fuzz
