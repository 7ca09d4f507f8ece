#include "migrator/channel/engine.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"

namespace migd::channel {
namespace {

constexpr Duration kExpireEvery = 1s;
constexpr std::size_t kReasonMax = 64;
constexpr std::uint8_t kCipherChaCha = 0x01;
constexpr std::uint8_t kCipherAes = 0x02;

Tuning completed(Tuning tuning, const ChannelOptions& options) {
  tuning.capabilities.datagram_max = static_cast<std::uint16_t>(options.datagram_max);
  tuning.capabilities.ciphers =
      kCipherChaCha | (tuning.use_aes && aes_available() ? kCipherAes : std::uint8_t{0});
  return tuning;
}

// The body of an "undeliverable" message: u16 destination, the reason's name.
Bytes write_report(const Undelivered& undelivered) {
  Bytes body;
  ByteWriter out(body);
  out.u16(undelivered.destination.value);
  out.bytes(as_bytes(to_string(undelivered.reason)));
  return body;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kReasonMax &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <typename... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

ChannelEngine::ChannelEngine(const ChannelOptions& options, const Tuning& tuning,
                             DatagramSender& sender, ChannelHandler& handler, Rng& rng,
                             Metrics& metrics, Instant now)
    : options_(options),
      tuning_(completed(tuning, options)),
      sender_(sender),
      handler_(handler),
      refusals_(metrics),
      counters_(metrics),
      sessions_begun_(metrics.counter("migd_channel_sessions_begun_total")),
      sessions_rekeyed_(metrics.counter("migd_channel_sessions_rekeyed_total")),
      reassembly_(tuning_, options.peer_memory_max, refusals_),
      relay_(tuning_, refusals_),
      train_(sender, options.train_max),
      expire_at_(now + kExpireEvery) {
  MIGD_CHECK(options.datagram_max >= kDatagramMin && options.datagram_max <= 65535);
  MIGD_CHECK(options.peers.size() <= limits::kPeersMax);
  const HandshakeOptions handshake{options.self, options.boot, tuning_.capabilities,
                                   tuning_.hello_retry_first, tuning_.hello_retry_max};
  for (const ChannelPeer& config : options.peers) {
    MIGD_CHECK(config.id != options.self);
    std::vector<StaticPair> pairs =
        make_static_pairs(options.self, options.secret_keys, config.id, config.public_keys);
    peers_.push_back(
        std::make_unique<Peer>(config, handshake, std::move(pairs), rng, refusals_, now));
    by_node_[config.id.value] = peers_.back().get();
  }
}

// ---- what is known of peers ----

ChannelEngine::Peer* ChannelEngine::find(NodeId node) const {
  const auto found = by_node_.find(node.value);
  return found == by_node_.end() ? nullptr : found->second;
}

Link* ChannelEngine::link_to(NodeId node) const {
  const Peer* peer = find(node);
  return peer == nullptr ? nullptr : peer->link.get();
}

bool ChannelEngine::session_up(NodeId peer) const {
  return link_to(peer) != nullptr;
}

Boot ChannelEngine::peer_boot(NodeId peer) const {
  return session_up(peer) ? find(peer)->boot : Boot{};
}

Duration ChannelEngine::round_trip(NodeId peer) const {
  const Link* link = link_to(peer);
  return link == nullptr ? Duration::zero() : link->round_trip();
}

std::size_t ChannelEngine::queued_bytes(NodeId peer) const {
  const Link* link = link_to(peer);
  return link == nullptr ? 0 : link->outbox().charged();
}

std::string ChannelEngine::why_down(const Peer& peer) const {
  std::string text = "no session with node " + std::to_string(peer.config.id.value);
  if (peer.handshake.refusal()) text += ": " + std::string(to_string(*peer.handshake.refusal()));
  return text;
}

// ---- sending ----

Result<void> ChannelEngine::send(NodeId to, std::uint8_t kind, ByteView head, ByteView body,
                                 Instant now) {
  return send_via(to, to, kind, head, body, now);
}

Result<void> ChannelEngine::send_via(NodeId via, NodeId to, std::uint8_t kind, ByteView head,
                                     ByteView body, Instant now) {
  Peer* hop = find(via);
  Peer* destination = find(to);
  if (hop == nullptr || destination == nullptr) {
    const NodeId missing = hop == nullptr ? via : to;
    return fail(ErrorCode::kNotFound, "no peer has id " + std::to_string(missing.value));
  }
  return queue_message(*hop, *destination, false, kind, head, body, now);
}

Result<void> ChannelEngine::queue_message(Peer& hop, Peer& destination, bool undeliverable,
                                          std::uint8_t kind, ByteView head, ByteView body,
                                          Instant now) {
  for (const Peer* peer : {&hop, &destination}) {
    if (!peer->link) return fail(ErrorCode::kUnavailable, why_down(*peer));
  }
  if (head.size() > kHeadMax) return fail(ErrorCode::kTooLarge, "head over 1024 bytes");
  Outbox& outbox = hop.link->outbox();
  const std::size_t bytes = head.size() + body.size() + Outbox::kMessageOverhead;
  if (body.size() > limits::kBlobMax || bytes > outbox.bytes_max()) {
    return fail(ErrorCode::kTooLarge, "body of " + std::to_string(body.size()) + " bytes");
  }
  if (!outbox.has_room(bytes)) {
    return fail(ErrorCode::kBusy,
                "the queue to node " + std::to_string(hop.config.id.value) + " has no room");
  }
  const auto message = std::make_shared<OutMessage>();
  message->sealer = destination.link->sending_session(now);
  message->head = to_bytes(head);
  message->body = to_bytes(body);
  MessageFrame& frame = message->frame;
  frame.undeliverable = undeliverable;
  frame.kind = kind;
  frame.origin = options_.self;
  frame.destination = destination.config.id;
  frame.number = destination.next_number++;
  frame.body_session = message->sealer->id;
  frame.body_size = static_cast<std::uint32_t>(body.size());
  frame.head_size = static_cast<std::uint16_t>(head.size());
  cut(*message, std::min(hop.link->room(), destination.link->room()));
  outbox.add(message, now);
  hop.link->touch(now);
  return {};
}

void ChannelEngine::send_hello(const Peer& peer, const Bytes& hello) {
  if (!hello.empty()) sender_.send(peer.config.address, hello, hello.size());
}

void ChannelEngine::transmit(Peer& peer, Instant now) {
  train_.start(peer.config.address);
  peer.link->transmit(train_, now);
}

void ChannelEngine::flush(Instant now) {
  if (closed_) return;
  for (const auto& peer : peers_) {
    if (peer->link && peer->link->wants_to_transmit(now)) transmit(*peer, now);
  }
}

void ChannelEngine::close(Instant now) {
  for (const auto& peer : peers_) {
    if (!peer->link) continue;
    for (int i = 0; i < 2; ++i) {  // nothing is sent again after this; one may get lost
      peer->link->queue_close();
      transmit(*peer, now);
    }
  }
  closed_ = true;
}

// ---- input ----

void ChannelEngine::on_datagram(const Endpoint& from, ByteView payload, Instant now) {
  if (closed_) return;
  counters_.datagrams_received.add();
  counters_.bytes_received.add(payload.size());
  if (payload.empty()) {
    refusals_.count(Refusal::kTruncated);
  } else if (payload.size() > options_.datagram_max) {
    refusals_.count(Refusal::kOversized);
  } else if (payload[0] == kTypeHello) {
    on_hello(from, payload, now);
  } else if (payload[0] == kTypeData) {
    on_data(from, payload, now);
  } else {
    refusals_.count(Refusal::kUnknownType);
  }
  deliver_events(now);
}

ChannelEngine::Peer* ChannelEngine::sender_of(const Endpoint& from, NodeId node) {
  Peer* peer = find(node);
  if (peer != nullptr && peer->config.address == from) return peer;
  refusals_.count(Refusal::kUnknownPeer);
  return nullptr;
}

void ChannelEngine::on_hello(const Endpoint& from, ByteView payload, Instant now) {
  BoundedReader in(payload);
  in.skip(1);
  const HelloHeader header = read_hello_header(in);
  if (!in.ok()) return refusals_.count(Refusal::kTruncated);
  Peer* peer = sender_of(from, header.sender);
  if (peer == nullptr) return;
  const Handshake::Outcome outcome = peer->handshake.on_datagram(payload, now);
  send_hello(*peer, outcome.reply);  // ahead of anything under the new keys
  if (outcome.session) on_session(*peer, outcome, now);
  if (peer->link && peer->handshake.confirmed()) peer->link->confirm_newest();
}

void ChannelEngine::on_session(Peer& peer, const Handshake::Outcome& outcome, Instant now) {
  if (outcome.continues) {
    MIGD_CHECK(peer.link);
    peer.link->add_session(outcome.session, now);
    // Under the new keys, where they are confirmed: so the peer learns that we have them.
    peer.link->queue_heartbeat(handler_.heartbeat_payload(), now);
    sessions_rekeyed_.add();
    return;
  }
  if (peer.link) {
    const bool restarted = peer.boot != peer.handshake.peer_boot();
    take_down(peer, restarted ? "it restarted" : "it lost the session", now);
  }
  const std::size_t datagram_max =
      std::min<std::size_t>(options_.datagram_max, peer.handshake.peer_capabilities().datagram_max);
  const Link::Options options{options_.self, datagram_max, options_.peer_memory_max,
                              options_.heartbeat, options_.dead_after};
  peer.link = std::make_unique<Link>(options, tuning_, counters_, outcome.session, now);
  peer.boot = peer.handshake.peer_boot();
  if (outcome.round_trip) peer.link->on_round_trip(*outcome.round_trip);
  sessions_begun_.add();
  events_.push_back(SessionUp{peer.config.id, peer.boot});
}

// Ends the association; the handshake is the caller's to care for.
void ChannelEngine::take_down(Peer& peer, std::string reason, Instant now) {
  const NodeId id = peer.config.id;
  std::vector<Undelivered> undelivered;
  relay_.on_link_down(id, *peer.link, undelivered);
  relay_.forget(id, [this](NodeId node) { return link_to(node); });
  reassembly_.forget(id);
  peer.link.reset();
  events_.push_back(SessionDown{id, std::move(reason)});
  report(undelivered, now);
}

void ChannelEngine::on_data(const Endpoint& from, ByteView payload, Instant now) {
  BoundedReader in(payload);
  in.skip(1);
  const DataHeader header = read_data_header(in);
  const ByteView sealed = in.bytes(header.sealed_size);
  if (!in.ok() || sealed.size() < kTagSize) return refusals_.count(Refusal::kTruncated);
  if (header.version != kChannelVersion) return refusals_.count(Refusal::kUnknownVersion);
  Peer* peer = sender_of(from, header.sender);
  if (peer == nullptr) return;
  const std::shared_ptr<Session> session =
      peer->link ? peer->link->find_session(header.session, now) : nullptr;
  if (!session) return refusals_.count(Refusal::kUnknownSession);
  if (!peer->link->acceptable(header.packet)) return refusals_.count(Refusal::kReplayed);
  const ByteView text = sealed.first(sealed.size() - kTagSize);
  Tag tag;
  std::copy(sealed.end() - kTagSize, sealed.end(), tag.begin());
  opened_.resize(text.size());
  if (!session->datagram_receive.open(make_nonce(header.packet, 0), payload.first(kDataHeaderSize),
                                      text, tag, opened_.data())) {
    return refusals_.count(Refusal::kBadTag);
  }
  peer->link->on_sign_of_life(now);
  if (session == peer->link->newest_session()) {
    peer->handshake.confirm();
    peer->link->confirm_newest();
  }
  const FramesRead read = read_frames(*peer, opened_, in.rest(), now);
  if (read.malformed) refusals_.count(Refusal::kMalformed);
  if (read.acknowledge) peer->link->on_packet(header.packet, read.ack_eliciting, now);
  if (read.closed) {
    take_down(*peer, "it ended in order", now);
    peer->handshake.forget(now);
  }
}

ChannelEngine::FramesRead ChannelEngine::read_frames(Peer& peer, ByteView frames, ByteView bodies,
                                                     Instant now) {
  FramesRead read;
  BoundedReader in(frames);
  BoundedReader bodies_in(bodies);
  while (in.remaining() > 0 && !read.malformed) {
    const std::uint8_t type = in.u8();
    if (type == static_cast<std::uint8_t>(FrameType::kAck)) {
      const std::optional<AckFrame> ack = read_ack(in);
      read.malformed = !ack || !peer.link->on_ack(*ack, now);
    } else if (type == static_cast<std::uint8_t>(FrameType::kMessage)) {
      read.malformed = !read_message_frame(peer, in, bodies_in, read, now);
    } else if (type == static_cast<std::uint8_t>(FrameType::kHeartbeat)) {
      const std::optional<HeartbeatFrame> heartbeat = read_heartbeat(in);
      read.malformed = !heartbeat;
      read.ack_eliciting = true;
      if (heartbeat) events_.push_back(Heartbeat{peer.config.id, to_bytes(heartbeat->payload)});
    } else if (type == static_cast<std::uint8_t>(FrameType::kClose)) {
      read.closed = read_close(in).has_value();
      read.malformed = !read.closed;
    } else {
      read.malformed = true;
    }
  }
  // The bodies' bytes are not under the datagram's tag: somebody else cut or lengthened them.
  if (!read.malformed && !bodies_in.finished()) {
    refusals_.count(Refusal::kTruncated);
    read.acknowledge = false;
  }
  return read;
}

bool ChannelEngine::read_message_frame(Peer& peer, BoundedReader& frames, BoundedReader& bodies,
                                       FramesRead& read, Instant now) {
  const std::optional<MessageFrame> frame = read_message(frames);
  if (!frame) return false;
  const ByteView sealed = bodies.bytes(frame->size);
  if (!bodies.ok()) return true;
  read.ack_eliciting = true;
  if (!on_fragment(peer, *frame, sealed, now)) read.acknowledge = false;
  return true;
}

// True when the fragment need not come again.
bool ChannelEngine::on_fragment(Peer& from, const MessageFrame& frame, ByteView sealed,
                                Instant now) {
  const bool for_us = frame.destination == options_.self;
  Peer* origin = find(frame.origin);
  const bool known = for_us ? origin != nullptr
                            : origin == &from && frame.destination != frame.origin &&
                                  find(frame.destination) != nullptr;
  if (!known) {
    refusals_.count(Refusal::kNotForUs);
    return true;
  }
  Verdict verdict;
  if (for_us) {
    const std::shared_ptr<Session> session =
        origin->link ? origin->link->find_session(frame.body_session, now) : nullptr;
    verdict = reassembly_.on_fragment(frame, sealed, session.get(), now);
  } else {
    Link* next = link_to(frame.destination);
    Relay::Taken taken = relay_.on_fragment(frame, sealed, next, now);
    if (next != nullptr) next->touch(now);
    verdict = std::move(taken.verdict);
    if (taken.to_announce) events_.push_back(std::move(taken.to_announce));
  }
  if (verdict.delivery) events_.push_back(std::move(*verdict.delivery));
  if (verdict.undelivered) report(*verdict.undelivered, now);
  return verdict.acknowledge;
}

void ChannelEngine::report(const Undelivered& undelivered, Instant now) {
  Peer* origin = find(undelivered.origin);
  if (origin == nullptr || !origin->link) return;
  // Without room for it the origin's own time-outs must do.
  static_cast<void>(queue_message(*origin, *origin, true, undelivered.kind, undelivered.head,
                                  write_report(undelivered), now));
}

void ChannelEngine::report(const std::vector<Undelivered>& undelivered, Instant now) {
  for (const Undelivered& one : undelivered)
    report(one, now);
}

// ---- events ----

void ChannelEngine::deliver_events(Instant now) {
  if (delivering_) return;
  delivering_ = true;
  while (!events_.empty()) {
    const Event event = std::move(events_.front());
    events_.pop_front();
    deliver(event, now);
  }
  delivering_ = false;
}

void ChannelEngine::deliver(const Event& event, Instant now) {
  std::visit(
      Overloaded{
          [&](const SessionUp& up) { handler_.on_session_up(up.peer, up.boot, now); },
          [&](const SessionDown& down) { handler_.on_session_down(down.peer, down.reason, now); },
          [&](const Heartbeat& heartbeat) {
            handler_.on_heartbeat(heartbeat.peer, heartbeat.payload, now);
          },
          [&](const Delivery& message) { deliver(message, now); },
          [&](const std::shared_ptr<OutMessage>& message) { announce(message, now); },
      },
      event);
}

void ChannelEngine::deliver(const Delivery& message, Instant now) {
  if (!message.undeliverable) {
    handler_.on_message(message.origin, message.kind, message.head, message.body, now);
    return;
  }
  BoundedReader in(message.body);
  const NodeId destination{in.u16()};
  const std::string_view reason = as_text(in.rest());
  if (!in.ok() || !is_name(reason)) return refusals_.count(Refusal::kMalformed);
  handler_.on_undeliverable(message.origin, destination, message.kind, message.head,
                            std::string(reason), now);
}

void ChannelEngine::announce(const std::shared_ptr<OutMessage>& message, Instant now) {
  const MessageFrame& frame = message->frame;
  if (message->finished) return;  // given up meanwhile; its origin was told
  handler_.on_relay(frame.origin, frame.destination, frame.kind, message->head, now);
  if (message->finished) return;
  Link* next = link_to(frame.destination);
  MIGD_CHECK(next != nullptr);
  Relay::release(message, *next);
  next->touch(now);
}

// ---- time ----

Instant ChannelEngine::next_deadline() const {
  if (closed_) return kNever;
  Instant next = expire_at_;
  for (const auto& peer : peers_) {
    next = std::min(next, peer->handshake.next_deadline());
    if (peer->link) next = std::min(next, peer->link->next_deadline());
  }
  return next;
}

void ChannelEngine::on_deadline(Instant now) {
  if (closed_) return;
  for (const auto& peer : peers_)
    on_peer_deadline(*peer, now);
  if (expire_at_ <= now) {
    expire_at_ = now + kExpireEvery;
    reassembly_.expire(now);
    std::vector<Undelivered> undelivered;
    for (const auto& peer : peers_) {
      if (peer->link) relay_.expire(peer->config.id, *peer->link, now, undelivered);
    }
    report(undelivered, now);
  }
  deliver_events(now);
  flush(now);
}

void ChannelEngine::on_peer_deadline(Peer& peer, Instant now) {
  if (peer.link && peer.link->dead_at() <= now) {
    take_down(peer, "no sign of life", now);
    peer.handshake.forget(now);
  }
  send_hello(peer, peer.handshake.on_deadline(now));
  if (!peer.link) return;
  if (peer.link->heartbeat_due() <= now) {
    Bytes payload = handler_.heartbeat_payload();
    MIGD_CHECK(payload.size() <= kHeartbeatPayloadMax);
    peer.link->queue_heartbeat(std::move(payload), now);
    renew_keys(peer, now);
  }
  if (peer.link && peer.link->next_deadline() <= now) peer.link->on_deadline(now);
}

void ChannelEngine::renew_keys(Peer& peer, Instant now) {
  const Session& session = *peer.link->newest_session();
  const bool first = options_.self < peer.config.id;  // so that both do not begin at once
  const Duration after = first ? tuning_.rekey_after : tuning_.rekey_after * 9 / 8;
  if (session.sealed_packets >= 2 * tuning_.rekey_packets ||
      session.sealed_bytes >= 2 * tuning_.rekey_bytes) {
    take_down(peer, "its keys are used up", now);
    peer.handshake.forget(now);
  } else if (session.sealed_packets >= tuning_.rekey_packets ||
             session.sealed_bytes >= tuning_.rekey_bytes || now - session.created >= after) {
    if (peer.handshake.confirmed()) peer.handshake.seek(now);
  }
}

}  // namespace migd::channel
