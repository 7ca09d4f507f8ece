// Stream sockets on libuv: TCP to literal addresses ("localhost" is 127.0.0.1; names are not looked
// up, that would block or need threads) and UNIX sockets.
#pragma once

#include <memory>

#include "base/stream_socket.h"
#include "base/uv/uv_loop.h"

namespace migd {

class UvStreamNetwork : public StreamNetwork {
 public:
  explicit UvStreamNetwork(UvLoop& loop) : loop_(loop) {}

  std::unique_ptr<StreamSocket> connect(const StreamAddress& to,
                                        StreamSocketHandler* handler) override;

  // A UNIX path gets mode 0600 before the first connection can come; a socket there that nobody
  // serves any more is replaced, one that is served is kBusy.
  Result<std::unique_ptr<StreamListener>> listen(const StreamAddress& at,
                                                 StreamListener::AcceptHandler on_accept);

 private:
  UvLoop& loop_;
};

}  // namespace migd
