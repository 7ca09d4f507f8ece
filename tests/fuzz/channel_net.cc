#include "tests/fuzz/channel_net.h"

#include <sodium.h>

#include <utility>

#include "migrator/channel/static_keys.h"
#include "tests/fuzz/finding.h"

namespace migd::fuzz {
namespace {

using namespace channel;

constexpr NodeId kFirst{1}, kAttacker{2}, kSecond{3};
constexpr std::size_t kPeerMemory = 256u << 10;
constexpr std::size_t kUnderWayMax = 500, kOldMax = 100;

Endpoint address_of(NodeId node) {
  return {IpAddress::v4(0x0a4d0000u + node.value), 7946};
}

struct KeyPair {
  Key secret{}, public_key{};
};
const KeyPair& keys_of(NodeId node) {
  static const auto all = [] {
    std::array<KeyPair, 4> made;
    for (std::size_t i = 0; i < made.size(); ++i) {
      sim::SimRng(i + 77).fill(made[i].secret);
      crypto_scalarmult_base(made[i].public_key.data(), made[i].secret.data());
    }
    return made;
  }();
  return all[node.value];
}

Bytes body_of(std::uint64_t number, std::size_t size) {
  Bytes body(size);
  for (std::size_t i = 0; i < size; ++i)
    body[i] = static_cast<std::uint8_t>((number + i) % 251);
  return body;
}

}  // namespace

// ---- the honest ----

class ChannelNet::Honest : public ChannelHandler, public DatagramSender {
 public:
  Honest(ChannelNet& net, NodeId self) : id(self), net_(net) { start(Boot{self.value}); }

  void start(Boot boot) {
    ChannelOptions options;
    options.self = id;
    options.boot = boot;
    options.secret_keys = {keys_of(id).secret};
    options.peer_memory_max = kPeerMemory;
    for (const NodeId peer : {kFirst, kAttacker, kSecond}) {
      if (peer != id) options.peers.push_back({peer, address_of(peer), {keys_of(peer).public_key}});
    }
    Tuning tuning;
    tuning.partial_messages_max = 64;
    engine = std::make_unique<ChannelEngine>(options, tuning, *this, *this, net_.rng_, metrics,
                                             net_.now_);
  }

  void on_session_up(NodeId, Boot, Instant) override {}
  void on_session_down(NodeId, std::string, Instant) override {}
  void on_message(NodeId origin, std::uint8_t, ByteView head, ByteView body, Instant) override {
    if (origin == kAttacker) return;
    BoundedReader in(head);
    const std::uint64_t number = in.u64();
    const auto written = net_.written_.find(number);
    MIGD_FUZZ_HOLDS(in.finished() && written != net_.written_.end(),
                    "a message that its origin has not sent");
    MIGD_FUZZ_HOLDS(to_bytes(body) == body_of(number, written->second),
                    "a message that has changed on its way");
    MIGD_FUZZ_HOLDS(net_.read_.insert(number).second, "a message that arrives twice");
  }
  void on_relay(NodeId, NodeId, std::uint8_t, ByteView, Instant) override {}
  Bytes heartbeat_payload() override { return {1, 2, 3}; }
  void on_heartbeat(NodeId, ByteView payload, Instant) override {
    MIGD_FUZZ_HOLDS(payload.size() <= kHeartbeatPayloadMax, "a heartbeat that is too large");
  }
  void send(const Endpoint& to, ByteView payload, std::size_t segment_size) override {
    for (std::size_t at = 0; at < payload.size(); at += segment_size) {
      net_.send(address_of(id), to,
                payload.subspan(at, std::min(segment_size, payload.size() - at)));
    }
  }

  const NodeId id;
  Metrics metrics;
  std::unique_ptr<ChannelEngine> engine;

 private:
  ChannelNet& net_;
};

// ---- the attacker: speaks the format by hand ----

class ChannelNet::Attacker {
 public:
  explicit Attacker(ChannelNet& net) : net_(net) {
    for (const NodeId peer : {kFirst, kSecond}) {
      lines_[peer].pair = make_static_pairs(kAttacker, {keys_of(kAttacker).secret}, peer,
                                            {keys_of(peer).public_key})
                              .front();
      greet(peer, Boot{22});
    }
  }

  // Keys for a session, by the rules.
  void greet(NodeId peer, Boot boot) {
    Line& line = lines_[peer];
    Handshake handshake({kAttacker, boot, {}, 50ms, 1s}, peer, {line.pair}, net_.rng_, refusals_,
                        net_.now_);
    line.heard.clear();
    give(peer, handshake.on_deadline(net_.now_));
    for (const Bytes& hello : std::exchange(line.heard, {})) {
      Handshake::Outcome outcome = handshake.on_datagram(hello, net_.now_);
      if (outcome.session) {
        line.session = outcome.session;
        line.next_packet = 1;
      }
      if (!outcome.reply.empty()) give(peer, outcome.reply);
    }
  }

  void hear(NodeId peer, ByteView bytes) {
    Line& line = lines_[peer];
    if (bytes.empty() || bytes[0] != kTypeHello || line.heard.size() > 4) return;
    line.heard.push_back(to_bytes(bytes));
    const std::optional<Bytes> inside = open_hello(line.pair, bytes);
    if (const auto hello = inside ? read_hello(*inside) : std::nullopt) line.offer = hello->offer;
  }

  void step(Input& in) {
    const NodeId peer = in.flag() ? kSecond : kFirst;
    switch (in.below(6)) {
      case 0:
        return give(peer, in.bytes(in.u8()));
      case 1:
        return give_sealed(peer, in.bytes(in.u8()), in.bytes(in.below(64)));
      case 2:
        return give_message(peer, in);
      case 3:
        return give_ack(peer, in);
      case 4:
        return give_hello(peer, in);
      case 5:
        return greet(peer, Boot{in.below(4) + std::uint64_t{20}});
    }
  }

 private:
  struct Line {
    StaticPair pair;
    std::shared_ptr<Session> session;
    std::uint64_t next_packet = 1;
    Offer offer;  // the peer's latest
    std::vector<Bytes> heard;
  };

  void give(NodeId peer, ByteView bytes) {
    net_.deliver({address_of(kAttacker), address_of(peer), to_bytes(bytes)});
  }

  void give_sealed(NodeId peer, ByteView frames, ByteView bodies) {
    Line& line = lines_[peer];
    if (!line.session) return;
    Bytes bytes;
    ByteWriter out(bytes);
    write(out, DataHeader{kChannelVersion, kAttacker, line.session->id, line.next_packet,
                          static_cast<std::uint16_t>(frames.size() + kTagSize)});
    Bytes text = to_bytes(frames);
    const Tag tag =
        line.session->datagram_send.seal(make_nonce(line.next_packet++, 0), bytes, text);
    out.bytes(text);
    out.bytes(tag);
    out.bytes(bodies);
    give(peer, bytes);
  }

  // Several fragments in one datagram, each sealed as it should be, or not.
  void give_message(NodeId peer, Input& in) {
    Bytes frames, bodies;
    ByteWriter out(frames);
    for (int n = in.below(3); n >= 0; --n) {
      MessageFrame frame;
      frame.undeliverable = in.below(8) == 0;
      frame.kind = in.u8();
      frame.origin = in.below(8) == 0 ? NodeId{in.below(5)} : kAttacker;
      const NodeId other = peer == kFirst ? kSecond : kFirst;
      frame.destination = in.below(4) == 0 ? other : peer;
      frame.number = in.below(8) == 0 ? in.u64() : in.below(16);
      frame.body_size = in.below(8) == 0 ? in.u32() : in.size();
      frame.offset = in.below(2) == 0 ? 0 : in.size();
      frame.size = static_cast<std::uint16_t>(in.size() % 1100);
      Bytes head = to_bytes(in.bytes(in.below(16)));
      if (frame.offset == 0) frame.head = head;
      frame.head_size = in.below(8) == 0 ? in.u8() : static_cast<std::uint16_t>(head.size());
      Line& to = lines_[frame.destination == other ? other : peer];
      if (!to.session) return;
      frame.body_session = in.below(8) == 0 ? in.u32() : to.session->id;
      Bytes body(frame.size, 0x55), associated;
      ByteWriter associated_out(associated);
      write_associated(associated_out, frame);
      if (in.below(8) != 0) {
        frame.tag =
            to.session->body_send.seal(make_nonce(frame.number, frame.offset), associated, body);
      }
      write(out, frame);
      append(bodies, body);
    }
    mangle(frames, in);
    give_sealed(peer, frames, bodies);
  }

  void give_ack(NodeId peer, Input& in) {
    AckFrame ack;
    ack.delay = Duration(1us) * in.u32();
    std::uint64_t last = in.below(8) == 0 ? in.u64() : in.u8();
    for (int n = in.below(6); n >= 0; --n) {
      const std::uint64_t first = last - std::min<std::uint64_t>(last, in.below(8));
      ack.runs.push_back({first, last});
      if (first < 3) break;
      last = first - 2 - in.below(2);
    }
    Bytes frames;
    ByteWriter out(frames);
    write(out, ack);
    mangle(frames, in);
    give_sealed(peer, frames, {});
  }

  static void mangle(Bytes& frames, Input& in) {
    if (in.below(8) == 0) frames[in.u8() % frames.size()] = in.u8();
  }

  void give_hello(NodeId peer, Input& in) {
    Line& line = lines_[peer];
    Hello hello;
    hello.receiver = in.below(8) == 0 ? NodeId{in.below(5)} : peer;
    hello.established = in.flag();
    hello.answer = in.flag();
    hello.offer.boot = Boot{in.below(4) + std::uint64_t{20}};
    if (in.below(4) != 0) {
      sim::SimRng(in.below(4)).fill(hello.offer.share);
    }
    hello.association = in.below(4) == 0 ? in.u64() : 0;
    if (line.session && in.flag()) hello.association = line.session->new_association;
    hello.echo = line.offer;
    if (in.below(4) == 0) hello.echo.boot = Boot{in.u64()};
    if (in.below(8) == 0) hello.capabilities.datagram_max = in.u16();
    if (in.below(8) == 0) hello.capabilities.ciphers = in.u8();
    if (in.below(8) == 0) hello.capabilities.channel = {in.u8(), in.u8()};
    if (in.below(8) == 0) hello.capabilities.encapsulations = in.u8();
    give(peer, seal_hello(kAttacker, line.pair, hello, net_.rng_));
  }

  ChannelNet& net_;
  Metrics metrics_;
  RefusalCounters refusals_{metrics_};
  std::map<NodeId, Line> lines_;
};

// ---- the net ----

ChannelNet::ChannelNet() {
  for (const NodeId id : {kFirst, kSecond})
    honest_.push_back(std::make_unique<Honest>(*this, id));
  attacker_ = std::make_unique<Attacker>(*this);
  for (const auto& node : honest_)
    node->engine->on_deadline(now_);
  deliver_all();
}

ChannelNet::~ChannelNet() = default;

void ChannelNet::send(const Endpoint& from, const Endpoint& to, ByteView bytes) {
  if (to == address_of(kAttacker)) {
    // The two are made before it, and may greet it before it is there.
    if (attacker_ != nullptr) attacker_->hear(from == address_of(kFirst) ? kFirst : kSecond, bytes);
    return;
  }
  under_way_.push_back({from, to, to_bytes(bytes)});
  if (under_way_.size() > kUnderWayMax) under_way_.pop_front();
}

void ChannelNet::deliver(const Datagram& datagram) {
  for (const auto& node : honest_) {
    if (address_of(node->id) != datagram.to) continue;
    node->engine->on_datagram(datagram.from, datagram.bytes, now_);
    node->engine->flush(now_);
  }
}

void ChannelNet::deliver_all() {
  for (int i = 0; i < 1000 && !under_way_.empty(); ++i) {
    const Datagram next = std::move(under_way_.front());
    under_way_.pop_front();
    deliver(next);
  }
}

void ChannelNet::step(Input& in) {
  switch (in.below(6)) {
    case 0:
    case 1:
      attacker_->step(in);
      break;
    case 2:
      tamper(in);
      break;
    case 3:
      talk(in);
      break;
    case 4:
      pass(Duration(1us) * in.size() * (std::uint32_t{1} << in.below(10)));
      break;
    case 5:
      deliver_all();
      break;
  }
  check_bounds();
}

void ChannelNet::tamper(Input& in) {
  if (in.below(4) == 0 && !old_.empty()) {
    Datagram again = old_[in.u8() % old_.size()];
    if (in.below(4) == 0) again.from = address_of(kAttacker);
    return deliver(again);
  }
  if (under_way_.empty()) return;
  const auto at = under_way_.begin() + static_cast<std::ptrdiff_t>(pick(in));
  Datagram chosen = *at;
  switch (in.below(5)) {
    case 0:
      under_way_.erase(at);
      return;
    case 1:  // overtakes the others
      under_way_.erase(at);
      break;
    case 2:  // repeated
      break;
    case 3:
      chosen.bytes[in.u16() % chosen.bytes.size()] ^= static_cast<std::uint8_t>(in.u8() | 1);
      break;
    case 4:
      chosen.bytes.resize(in.u16() % chosen.bytes.size());
      break;
  }
  old_.push_back(chosen);
  if (old_.size() > kOldMax) old_.pop_front();
  deliver(chosen);
}

void ChannelNet::talk(Input& in) {
  const bool second = in.flag();
  Honest& from = honest(second);
  const NodeId to = honest(!second).id;
  switch (in.below(64)) {
    case 1:  // a crash
      return from.start(next_boot());
    case 2:
      from.engine->close(now_);
      return from.start(next_boot());
  }
  const std::uint64_t number = written_.size() + 1;
  const std::uint32_t size = in.size() % (kPeerMemory * 2);
  Bytes head;
  ByteWriter out(head);
  out.u64(number);
  const Bytes body = body_of(number, size);
  const bool by_attacker = in.below(4) == 0;
  const Result<void> sent = by_attacker
                                ? from.engine->send_via(kAttacker, to, in.u8(), head, body, now_)
                                : from.engine->send(to, in.u8(), head, body, now_);
  written_[number] = size;
  if (sent) from.engine->flush(now_);
}

void ChannelNet::pass(Duration time) {
  const Instant until = now_ + time;
  for (int i = 0; i < 200; ++i) {
    const Instant next =
        std::min(honest(false).engine->next_deadline(), honest(true).engine->next_deadline());
    if (next > until) break;
    now_ = std::max(now_, next);
    for (const auto& node : honest_) {
      node->engine->on_deadline(now_);
      MIGD_FUZZ_HOLDS(node->engine->next_deadline() > now_, "a deadline that is never done");
    }
  }
  now_ = std::max(now_, until);
}

void ChannelNet::check_bounds() const {
  for (const auto& node : honest_) {
    for (const NodeId peer : {kFirst, kAttacker, kSecond}) {
      if (peer == node->id) continue;
      MIGD_FUZZ_HOLDS(node->engine->reserved_bytes(peer) <= kPeerMemory,
                      "more is reserved than a peer may have us hold");
      MIGD_FUZZ_HOLDS(node->engine->queued_bytes(peer) <= kPeerMemory,
                      "more is queued than a peer may have us hold");
    }
  }
}

void ChannelNet::finish() {
  for (int i = 0; i < 300; ++i) {
    pass(50ms);
    deliver_all();
  }
  check_bounds();
  MIGD_FUZZ_HOLDS(
      honest(false).engine->session_up(kSecond) && honest(true).engine->session_up(kFirst),
      "two that nobody disturbs any more do not find each other");
}

}  // namespace migd::fuzz
