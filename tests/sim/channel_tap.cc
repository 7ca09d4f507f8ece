#include "tests/sim/channel_tap.h"

#include <utility>

namespace migd::sim {

std::string_view to_string(wire::Kind kind) {
  static constexpr std::string_view kNames[] = {
      "",        "state",        "ready",   "refuse",        "grant", "active", "abort",
      "barrier", "map",          "unmap",   "lease_request", "lease", "locate", "located",
      "order",   "order_result", "prepare", "promise",       "trace", "traced", "moved"};
  static_assert(std::size(kNames) == kKinds + 1);
  return kNames[static_cast<std::size_t>(kind)];
}

SimChannel::SimChannel(SimNodeLoop& loop, ChannelTap& tap, const ChannelOptions& options,
                       DatagramSender& sender, ChannelHandler& handler, Rng& rng, Metrics& metrics,
                       Instant now)
    : loop_(loop),
      tap_(tap),
      handler_(handler),
      self_(options.self),
      inner_(Channel::create(options, sender, *this, rng, metrics, now)) {}

Result<void> SimChannel::pass(const ChannelMessage& message, Instant now) {
  const auto kind = static_cast<std::uint8_t>(message.kind);
  return inner_->send_via(message.via, message.to, kind, message.head, message.body, now);
}

// A message whose session has gone meanwhile is lost with it.
void SimChannel::pass_later(ChannelMessage message, Duration delay) {
  loop_.schedule(loop_.world().now() + delay, [this, message = std::move(message)] {
    static_cast<void>(pass(message, loop_.now()));
    inner_->flush(loop_.now());
  });
}

void SimChannel::inject(const ChannelMessage& message) {
  pass_later(message, Duration::zero());
}

Result<void> SimChannel::send_via(NodeId via, NodeId to, std::uint8_t kind, ByteView head,
                                  ByteView body, Instant now) {
  ChannelMessage message{self_,          via,           to, static_cast<wire::Kind>(kind),
                         to_bytes(head), to_bytes(body)};
  if (!session_up(via) || !session_up(to)) return pass(message, now);  // which fails
  Result<void> result;
  for (const Duration delay : tap_.on_send(message)) {
    if (delay > Duration::zero()) {
      pass_later(message, delay);
    } else {
      result = pass(message, now);
    }
  }
  return result;
}

void SimChannel::on_message(NodeId origin, std::uint8_t kind, ByteView head, ByteView body,
                            Instant now) {
  tap_.on_delivered(self_, origin, static_cast<wire::Kind>(kind), head);
  handler_.on_message(origin, kind, head, body, now);
}

}  // namespace migd::sim
