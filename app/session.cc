#include "app/session.h"

#include <utility>

namespace migd {

void Session::enter() {
  Entry entry(*this);
  again_ = true;
  if (advancing_) return;
  advancing_ = true;
  while (again_ && open()) {
    again_ = false;
    advance();
  }
  advancing_ = false;
}

void Session::leave() {
  if (--entries_ == 0 && connection_ == nullptr && sessions_ != nullptr) sessions_->retire(*this);
}

void Session::on_closed(Connection&, CloseReason reason) {
  Entry entry(*this);
  connection_ = nullptr;
  ended(reason);
}

void Session::on_frozen(Connection&) {
  Entry entry(*this);
  pause();
}

void Session::on_thawed(Connection&) {
  Entry entry(*this);
  resume();
  enter();
}

Bytes Session::capture_state() const {
  Bytes state;
  ByteWriter out(state);
  write_envelope(out, tag_, finished_);
  write_state(out);
  return state;
}

void Session::finish() {
  finished_ = true;
  connection_->close();
}

void Session::abort_connection() {
  finished_ = true;
  connection_->abort();
}

Session& Sessions::adopt(std::unique_ptr<Session> session) {
  Session& adopted = *session;
  adopted.sessions_ = this;
  adopted.next_ = first_;
  if (first_ != nullptr) first_->previous_ = &adopted;
  first_ = session.release();
  ++size_;
  return adopted;
}

void Sessions::retire(Session& session) {
  const std::unique_ptr<Session> dying(&session);
  (session.previous_ != nullptr ? session.previous_->next_ : first_) = session.next_;
  if (session.next_ != nullptr) session.next_->previous_ = session.previous_;
  --size_;
}

Sessions::~Sessions() {
  while (first_ != nullptr)
    retire(*first_);
}

}  // namespace migd
