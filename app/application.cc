#include "app/application.h"

#include <utility>

namespace migd {
namespace {

std::string counter_name(std::string_view what, const std::string& application) {
  return "migd_application_" + std::string(what) + "_total{application=\"" + application + "\"}";
}

}  // namespace

Application::Application(std::string name, StateTag tag, Metrics& metrics)
    : name_(std::move(name)),
      tag_(tag),
      attached_(metrics.counter(counter_name("sessions", name_))),
      restored_(metrics.counter(counter_name("restored", name_))),
      refused_(metrics.counter(counter_name("refused", name_))) {}

Result<void> Application::attach(Connection& connection, ByteView state, bool restored) {
  Result<std::unique_ptr<Session>> opened = open(connection, state, restored);
  if (!opened) {
    refused_.add();
    return tl::unexpected<Error>(std::move(opened.error()));
  }
  (restored ? restored_ : attached_).add();
  Session& session = sessions_.adopt(std::move(*opened));
  connection.bind(name_, &session);
  session.start();
  return {};
}

Result<std::unique_ptr<Session>> Application::open(Connection& connection, ByteView state,
                                                   bool restored) {
  if (!restored) {
    if (!state.empty()) return bad_state("a fresh connection has none");
    return make(connection);
  }
  BoundedReader in(state);
  Result<bool> ended = read_envelope(in, tag_);
  if (!ended) return tl::unexpected<Error>(std::move(ended.error()));
  Result<std::unique_ptr<Session>> session = restore(connection, in);
  if (!session) return session;
  if (!in.ok()) return bad_state("truncated");
  if (!in.finished()) return bad_state("bytes behind its end");
  (*session)->set_finished(*ended);
  return session;
}

}  // namespace migd
