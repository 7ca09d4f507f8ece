#include <algorithm>

#include "app/plain/plain.h"
#include "app/plain/plain_application.h"

namespace migd {
namespace {

class EchoSession : public Session {
 public:
  using Session::Session;

  static Result<std::unique_ptr<Session>> restore(StateTag tag, Connection& connection,
                                                  BoundedReader&) {
    return std::make_unique<EchoSession>(tag, connection);
  }

 private:
  void advance() override {
    while (open() && copy_some()) {
    }
    if (open() && connection().peer_closed() && connection().readable() == 0) finish();
  }

  bool copy_some() {
    const ByteView front = connection().peek_front();
    const std::size_t size = std::min(front.size(), connection().writable());
    if (size == 0) return false;
    const std::size_t written = connection().write(front.first(size));
    connection().consume(written);
    return written > 0;
  }

  // What was not sent back yet is the connection's unread data.
  void write_state(ByteWriter&) const override {}
};

}  // namespace

std::unique_ptr<Application> make_echo(std::string name, Metrics& metrics) {
  return std::make_unique<PlainApplication<EchoSession>>(
      std::move(name), StateTag{ApplicationKind::kEcho, 1}, metrics);
}

}  // namespace migd
