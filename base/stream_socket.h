// Local byte-stream sockets of the operating system (TCP on loopback, UNIX), for the relay and the
// admin server. Implementations: base/uv (libuv) and the simulator's in-memory pair.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace migd {

// "tcp:HOST:PORT" or "unix:PATH", parsed.
struct StreamAddress {
  enum class Kind { kTcp, kUnix };
  Kind kind = Kind::kUnix;
  std::string host_or_path;
  std::uint16_t port = 0;

  static Result<StreamAddress> parse(std::string_view text);
  std::string to_string() const;
};

// Told what happens on a StreamSocket, always from the event loop, never from inside of a call to
// the socket. Each may destroy the socket. After on_closed nothing more is called.
class StreamSocketHandler {
 public:
  virtual ~StreamSocketHandler() = default;
  virtual void on_connected() {}
  virtual void on_data(ByteView bytes) = 0;
  virtual void on_end() = 0;      // the other side has shut down its writing half
  virtual void on_drained() = 0;  // everything written has gone to the operating system
  // Both halves have ended in order, or (reset) it failed: no connection, RST, or reset() was
  // called.
  virtual void on_closed(bool reset) = 0;
};

class StreamSocket {
 public:
  virtual ~StreamSocket() = default;  // closes; the handler is not called any more
  // Nothing is read before there is a handler (an accepted socket has none yet).
  virtual void set_handler(StreamSocketHandler* handler) = 0;
  virtual void write(ByteView bytes) = 0;         // takes all; watch pending_bytes()
  virtual std::size_t pending_bytes() const = 0;  // written but not yet with the system
  virtual void pause_reading(bool paused) = 0;
  virtual void shutdown_write() = 0;  // after what is pending
  virtual void reset() = 0;           // closes at once, with RST where TCP can
};

class StreamNetwork {
 public:
  virtual ~StreamNetwork() = default;
  // Never null; a connection that fails reports on_closed.
  virtual std::unique_ptr<StreamSocket> connect(const StreamAddress& to,
                                                StreamSocketHandler* handler) = 0;
};

// Accepts connections until it is destroyed; then a UNIX path is removed.
class StreamListener {
 public:
  using AcceptHandler = std::function<void(std::unique_ptr<StreamSocket>)>;
  virtual ~StreamListener() = default;
  virtual const StreamAddress& address() const = 0;  // with the port that the system chose
};

}  // namespace migd
