#include "tests/fuzz/fabric.h"

#include <utility>

namespace migd::fuzz {

class Fabric::End : public Channel {
 public:
  End(Fabric& fabric, const ChannelOptions& options, ChannelHandler& to)
      : self(options.self), boot(options.boot), handler(to), fabric_(fabric) {
    fabric_.ends_[self] = this;
  }
  ~End() override { fabric_.ends_.erase(self); }

  bool session_up(NodeId peer) const override { return fabric_.up(self, peer); }
  Boot peer_boot(NodeId peer) const override { return fabric_.boot_of(peer); }
  Duration round_trip(NodeId) const override { return 100us; }
  Result<void> send(NodeId to, std::uint8_t kind, ByteView head, ByteView body, Instant) override {
    return fabric_.send({self, to, self, to, kind, to_bytes(head), to_bytes(body)});
  }
  Result<void> send_via(NodeId via, NodeId to, std::uint8_t kind, ByteView head, ByteView body,
                        Instant) override {
    if (!fabric_.up(self, to)) return fail(ErrorCode::kUnavailable, "no session");
    return fabric_.send({self, to, self, via, kind, to_bytes(head), to_bytes(body)});
  }
  void flush(Instant) override {}
  Instant next_deadline() const override { return kNever; }
  void on_deadline(Instant) override {}
  void on_datagram(const Endpoint&, ByteView, Instant) override {}

  const NodeId self;
  const Boot boot;
  ChannelHandler& handler;

 private:
  Fabric& fabric_;
};

ChannelFactory Fabric::factory() {
  return [this](const ChannelOptions& options, DatagramSender&, ChannelHandler& handler, Rng&,
                Metrics&, Instant) { return std::make_unique<End>(*this, options, handler); };
}

Boot Fabric::boot_of(NodeId node) const {
  const auto found = ends_.find(node);
  return found == ends_.end() ? Boot{} : found->second->boot;
}

Result<void> Fabric::send(const Waiting& message) {
  if (!up(message.from, message.to)) return fail(ErrorCode::kUnavailable, "no session");
  if (!message.body.empty()) latest_blob_ = message.body;
  waiting_.push_back(message);
  return {};
}

void Fabric::begin_session(NodeId a, NodeId b, Instant now) {
  if (up(a, b) || ends_.count(a) == 0 || ends_.count(b) == 0) return;
  sessions_.insert(ordered(a, b));
  ends_[a]->handler.on_session_up(b, boot_of(b), now);
  ends_[b]->handler.on_session_up(a, boot_of(a), now);
}

void Fabric::end_session(NodeId a, NodeId b, Instant now) {
  if (sessions_.erase(ordered(a, b)) == 0) return;
  std::erase_if(waiting_, [&](const Waiting& message) {
    return ordered(message.from, message.to) == ordered(a, b);
  });
  for (const auto& [here, there] : {Pair{a, b}, Pair{b, a}}) {
    const auto end = ends_.find(here);
    if (end != ends_.end()) end->second->handler.on_session_down(there, "cut", now);
  }
}

// Nobody hears of it: the others notice by their sessions.
void Fabric::remove(NodeId node) {
  std::erase_if(waiting_,
                [&](const Waiting& message) { return message.from == node || message.to == node; });
  ends_.erase(node);
}

void Fabric::deliver(std::size_t i, bool again, Instant now) {
  const Waiting message = waiting_[i];
  if (!again) waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
  arrive(message, now);
}

void Fabric::forge(const Waiting& message, Instant now) {
  arrive(message, now);
}

void Fabric::arrive(const Waiting& message, Instant now) {
  const auto end = ends_.find(message.to);
  if (end == ends_.end()) return;
  ChannelHandler& handler = end->second->handler;
  if (message.destination == message.to) {
    handler.on_message(message.origin, message.kind, message.head, message.body, now);
    return;
  }
  handler.on_relay(message.origin, message.destination, message.kind, message.head, now);
  Waiting next = message;
  next.from = message.to;
  next.to = message.destination;
  if (send(next)) return;
  const auto origin = ends_.find(message.origin);
  if (origin == ends_.end()) return;
  origin->second->handler.on_undeliverable(message.to, message.destination, message.kind,
                                           message.head, "no_route", now);
}

}  // namespace migd::fuzz
