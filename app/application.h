// Application: one configured use of connections, by name. It makes a session for each connection
// that is attached to it, fresh or restored from the state that a session of the same kind captured
// on another node, and owns its sessions until their connections are gone.
//
// An application outlives the connections bound to it: the composition root shuts the stack down
// first.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "app/options.h"
#include "app/session.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/reader.h"
#include "base/result.h"
#include "base/stream_socket.h"
#include "stack/connection.h"

namespace migd {

class FileStore;

// What applications are given; all of it outlives them.
struct ApplicationServices {
  FileStore& files;
  StreamNetwork& network;
  Log& log;
  Metrics& metrics;
  // Seconds since 1970, for the Date field of HTTP; may be empty, then there is none.
  std::function<std::int64_t()> unix_time;
};

class Application {
 public:
  Application(std::string name, StateTag tag, Metrics& metrics);
  virtual ~Application() = default;
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  const std::string& name() const { return name_; }
  ApplicationKind kind() const { return tag_.kind; }
  std::size_t session_count() const { return sessions_.size(); }

  // As ApplicationHost::attach().
  Result<void> attach(Connection& connection, ByteView state, bool restored);

 protected:
  StateTag tag() const { return tag_; }
  // A session for a connection that nothing has been read from or written to by this application.
  virtual Result<std::unique_ptr<Session>> make(Connection& connection) = 0;
  // One that goes on where write_state() stopped; the connection is only kept, not touched.
  virtual Result<std::unique_ptr<Session>> restore(Connection& connection, BoundedReader& in) = 0;

 private:
  Result<std::unique_ptr<Session>> open(Connection& connection, ByteView state, bool restored);

  std::string name_;
  StateTag tag_;
  Counter& attached_;
  Counter& restored_;
  Counter& refused_;
  Sessions sessions_;
};

}  // namespace migd
