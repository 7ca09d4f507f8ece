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

// Told what happens on a StreamSocket. After on_closed nothing more is called.
class StreamSocketHandler {
 public:
  virtual ~StreamSocketHandler() = default;
  virtual void on_connected() {}
  virtual void on_data(ByteView bytes) = 0;
  virtual void on_end() = 0;        // the other side has shut down its writing half
  virtual void on_drained() = 0;    // everything written has gone to the operating system
  virtual void on_closed(bool reset) = 0;
};

class StreamSocket {
 public:
  virtual ~StreamSocket() = default;  // closes; the handler is not called any more
  virtual void set_handler(StreamSocketHandler* handler) = 0;
  virtual void write(ByteView bytes) = 0;           // takes all; watch pending_bytes()
  virtual std::size_t pending_bytes() const = 0;    // written but not yet with the system
  virtual void pause_reading(bool paused) = 0;
  virtual void shutdown_write() = 0;                // after what is pending
  virtual void reset() = 0;                         // closes at once, with RST where TCP can
};

class StreamNetwork {
 public:
  virtual ~StreamNetwork() = default;
  // Never null; a connection that fails reports on_closed.
  virtual std::unique_ptr<StreamSocket> connect(const StreamAddress& to,
                                                StreamSocketHandler* handler) = 0;
};

}  // namespace migd
