#include "app/plain/plain.h"
#include "app/plain/plain_application.h"

namespace migd {
namespace {

class DiscardSession : public Session {
 public:
  using Session::Session;

  static Result<std::unique_ptr<Session>> restore(StateTag tag, Connection& connection,
                                                  BoundedReader&) {
    return std::make_unique<DiscardSession>(tag, connection);
  }

 private:
  void advance() override {
    if (connection().readable() > 0) connection().consume(connection().readable());
    if (open() && connection().peer_closed()) finish();
  }

  void write_state(ByteWriter&) const override {}
};

}  // namespace

std::unique_ptr<Application> make_discard(std::string name, Metrics& metrics) {
  return std::make_unique<PlainApplication<DiscardSession>>(
      std::move(name), StateTag{ApplicationKind::kDiscard, 1}, metrics);
}

}  // namespace migd
