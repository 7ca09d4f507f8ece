// One client of the admin socket: reads requests one after another, has each answered by a Router,
// and sends the answers. Everything is bounded: the request by HttpLimits, what is not yet sent by
// kPendingMax, the patience with a client that says or takes nothing by timers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/event_loop.h"
#include "base/stream_socket.h"
#include "cli/admin/http_message.h"

namespace migd {

class AdminSession;

// Decides what a request is answered with: calls exactly one of the session's respond functions, at
// once or later.
class AdminRouter {
 public:
  virtual ~AdminRouter() = default;
  virtual void route(const std::string& method, const std::string& target, const std::string& body,
                     AdminSession& session) = 0;
  virtual void on_session_ended(AdminSession& session) = 0;  // it may be destroyed later, not now
};

class AdminSession : public StreamSocketHandler, public std::enable_shared_from_this<AdminSession> {
 public:
  static constexpr std::size_t kPendingMax = 1u << 20;  // bytes of events that wait for the client
  static constexpr Duration kRequestTimeout = 10s;      // from one response to the next request
  static constexpr Duration kSendTimeout = 30s;         // for a client that takes nothing

  AdminSession(std::unique_ptr<StreamSocket> socket, EventLoop& loop, AdminRouter& router);

  // Each of `more_headers` ends with CR LF.
  void respond(int status, std::string_view content_type, std::string_view body,
               std::string_view more_headers = {});
  // The body comes piece by piece, as fast as the client takes it: `next` appends some more, and
  // returns false when that was all.
  void respond_in_pieces(std::string_view content_type, std::function<bool(std::string&)> next);
  // The body has no end; push() adds to it.
  void respond_with_events(std::string_view content_type);

  bool takes_events() const { return state_ == State::kEvents; }
  // A line for a client that takes events; dropped, and counted, when too much waits already.
  bool push(std::string_view line);
  // Lines dropped since this was last asked, once the client takes lines again.
  std::uint64_t take_dropped();

  void end();  // closes; the router hears of it

  // StreamSocketHandler
  void on_data(ByteView bytes) override;
  void on_end() override;
  void on_drained() override;
  void on_closed(bool reset) override;

 private:
  enum class State {
    kReading,  // a request
    kWaiting,  // for the router
    kSending,  // a body in pieces
    kEvents,
    kClosing,  // the last answer is on its way
    kEnded,
  };

  void parse();
  void refuse(HttpParser::Verdict verdict);
  void send(std::string_view bytes);
  void send_more();
  void finish_response();
  void close_after_sending();
  void on_timer();

  std::unique_ptr<StreamSocket> socket_;
  AdminRouter& router_;
  EventLoop& loop_;
  std::unique_ptr<Timer> timer_;
  HttpParser parser_{HttpParser::Kind::kRequest};
  State state_ = State::kReading;
  bool parsing_ = false;
  bool keep_alive_ = false;
  bool peer_ended_ = false;
  std::string unread_;  // what came behind the request that is being answered
  std::function<bool(std::string&)> next_piece_;
  std::uint64_t dropped_ = 0;
};

}  // namespace migd
