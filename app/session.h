// Session: what an application does with one connection.
//
// Theory of operation
//   A session is level-triggered: whatever happens, its advance() is called, which does all that
//   can be done now by asking the connection (readable, writable, peer_closed), and returns. So
//   there is nothing that could be missed by a session that starts late, on data that was already
//   waiting, or in the middle, on another node.
//
//   The base class keeps the rules that are easy to break. A frozen connection is never touched:
//   advance() is not called while it is frozen, and is called once on_thawed. A session may be
//   closed from inside its own callback: Entry counts the calls that are under way, and the session
//   is destroyed when the outermost returns. advance() is never entered twice; a call that comes
//   while it runs makes it run again.
//
//   State travels as an envelope (app/state.h) around what write_state() writes, and is read by the
//   restoring function of the application.
#pragma once

#include <memory>

#include "app/state.h"
#include "base/writer.h"
#include "stack/connection.h"

namespace migd {

class Sessions;

class Session : public ConnectionHandler {
 public:
  Session(StateTag tag, Connection& connection) : tag_(tag), connection_(&connection) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Goes as far as it can now. Called once the session is bound.
  void start() { enter(); }
  // A session that had ended its connection before it moved.
  void set_finished(bool finished) { finished_ = finished; }

  void on_readable(Connection&) final { enter(); }
  void on_writable(Connection&) final { enter(); }
  void on_peer_closed(Connection&) final { enter(); }
  void on_closed(Connection& connection, CloseReason reason) final;
  void on_frozen(Connection& connection) final;
  void on_thawed(Connection& connection) final;
  Bytes capture_state() const final;

 protected:
  // Does all that can be done now. Only called while open(); has to look at open() again after
  // every call that may end the connection.
  virtual void advance() = 0;
  virtual void write_state(ByteWriter& out) const = 0;
  virtual void pause() {}   // frozen: sources of data other than the connection stop
  virtual void resume() {}  // thawed; advance() follows
  virtual void ended(CloseReason /*reason*/) {}  // the connection is gone

  // There is a connection, and it may be read, written and closed.
  bool open() const { return connection_ != nullptr && !finished_ && !connection_->frozen(); }
  Connection& connection() { return *connection_; }
  const Connection& connection() const { return *connection_; }

  // Ends the connection; advance() is not called again.
  void finish();            // in order
  void abort_connection();  // with RST

  // Every call from outside holds an Entry; the session may be gone when the last one is.
  class Entry {
   public:
    explicit Entry(Session& session) : session_(session) { ++session_.entries_; }
    ~Entry() { session_.leave(); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    Session& session_;
  };
  // Runs advance() until nothing asks for it any more. What callbacks other than the connection's
  // call (the relay's socket).
  void enter();

 private:
  friend class Sessions;
  void leave();

  StateTag tag_;
  Connection* connection_;        // until on_closed
  Sessions* sessions_ = nullptr;  // who owns this, in a list of all that it owns
  Session* previous_ = nullptr;
  Session* next_ = nullptr;
  int entries_ = 0;
  bool advancing_ = false;
  bool again_ = false;
  bool finished_ = false;  // ended by this session; only on_closed is still to come
};

// Owns the sessions of one application.
class Sessions {
 public:
  Sessions() = default;
  ~Sessions();
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  Session& adopt(std::unique_ptr<Session> session);
  std::size_t size() const { return size_; }

 private:
  friend class Session;
  void retire(Session& session);  // and destroy it

  Session* first_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace migd
