#include <algorithm>

#include "app/plain/plain.h"
#include "app/plain/plain_application.h"

namespace migd {
namespace {

constexpr std::size_t kStepBytes = 64u << 10;

// Long enough that a full step can start anywhere in the period. No lambda: the compiler would take
// it for constexpr, and spend a second on running it.
Bytes make_ramp() {
  Bytes made(kStepBytes + kRampPeriod);
  for (std::size_t i = 0; i < made.size(); ++i) {
    made[i] = static_cast<std::uint8_t>(i % kRampPeriod);
  }
  return made;
}

const Bytes& ramp() {
  static const Bytes bytes = make_ramp();
  return bytes;
}

class SourceSession : public Session {
 public:
  using Session::Session;

  static Result<std::unique_ptr<Session>> restore(StateTag tag, Connection& connection,
                                                  BoundedReader& in) {
    auto session = std::make_unique<SourceSession>(tag, connection);
    session->phase_ = in.u8();
    if (session->phase_ >= kRampPeriod) return bad_state("position is outside the ramp");
    return session;
  }

 private:
  void advance() override {
    if (connection().readable() > 0) connection().consume(connection().readable());
    if (open() && connection().peer_closed()) finish();
    while (open() && write_some()) {
    }
  }

  bool write_some() {
    const std::size_t size = std::min(connection().writable(), kStepBytes);
    const std::size_t written = connection().write(ByteView(ramp()).subspan(phase_, size));
    phase_ = (phase_ + written) % kRampPeriod;
    return written > 0;
  }

  // u8: the position in the ramp.
  void write_state(ByteWriter& out) const override { out.u8(static_cast<std::uint8_t>(phase_)); }

  std::size_t phase_ = 0;
};

}  // namespace

std::unique_ptr<Application> make_source(std::string name, Metrics& metrics) {
  return std::make_unique<PlainApplication<SourceSession>>(
      std::move(name), StateTag{ApplicationKind::kSource, 1}, metrics);
}

}  // namespace migd
