// A peer that holds the right keys and does wrong, and strangers that send noise.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/migrator/channel/virtual_net.h"

namespace migd::channel::test {
namespace {

constexpr NodeId kVictim{1}, kAttacker{2}, kThird{3};
const Endpoint kVictimAddress{IpAddress::v4(0x0a4d0001), 7946};
const Endpoint kAttackerAddress{IpAddress::v4(0x0a4d0002), 7946};

// A channel (node 1) whose peer 2 is this test: it speaks the format by hand.
class Hostile : public ::testing::Test, public ChannelHandler, public DatagramSender {
 protected:
  void SetUp() override { start(1u << 20); }

  void start(std::size_t peer_memory_max) {
    options.self = kVictim;
    options.boot = Boot{11};
    options.secret_keys = {KeyPair::from_seed(1).secret};
    options.peer_memory_max = peer_memory_max;
    options.peers.clear();
    session.reset();
    next_packet = 1;
    for (const NodeId id : {kAttacker, kThird}) {
      options.peers.push_back({id,
                               {IpAddress::v4(0x0a4d0000u + id.value), 7946},
                               {KeyPair::from_seed(id.value).public_key}});
    }
    victim = std::make_unique<ChannelEngine>(options, Tuning{}, *this, *this, rng, metrics, now);
    HandshakeOptions mine{kAttacker, Boot{22}, {}};
    Handshake handshake(mine, kVictim,
                        make_static_pairs(kAttacker, {KeyPair::from_seed(2).secret}, kVictim,
                                          {KeyPair::from_seed(1).public_key}),
                        rng, refusals, now);
    input(handshake.on_deadline(now));
    for (const Bytes& hello : std::exchange(sent, {})) {
      Handshake::Outcome outcome = handshake.on_datagram(hello, now);
      if (outcome.session) session = outcome.session;
      input(outcome.reply);
    }
    ASSERT_TRUE(session);
    ASSERT_TRUE(victim->session_up(kAttacker));
  }

  void input(ByteView datagram) { victim->on_datagram(kAttackerAddress, datagram, now); }

  // A datagram of these frames and bodies, sealed as it should be.
  Bytes datagram(ByteView frames, ByteView bodies = {}) {
    Bytes bytes;
    ByteWriter out(bytes);
    write(out, DataHeader{kChannelVersion, kAttacker, session->id, next_packet,
                          static_cast<std::uint16_t>(frames.size() + kTagSize)});
    Bytes text = to_bytes(frames);
    const Tag tag = session->datagram_send.seal(make_nonce(next_packet++, 0), bytes, text);
    out.bytes(text);
    out.bytes(tag);
    out.bytes(bodies);
    return bytes;
  }

  MessageFrame frame(std::uint64_t number, std::uint32_t body_size, std::uint32_t offset,
                     std::uint16_t size) {
    MessageFrame message;
    message.kind = 1;
    message.origin = kAttacker;
    message.destination = kVictim;
    message.number = number;
    message.body_session = session->id;
    message.body_size = body_size;
    message.offset = offset;
    message.size = size;
    return message;
  }

  // The fragment, its body sealed as it should be.
  void send(MessageFrame message) {
    Bytes body(message.size, 0x55), associated, frames;
    ByteWriter associated_out(associated), frames_out(frames);
    write_associated(associated_out, message);
    message.tag =
        session->body_send.seal(make_nonce(message.number, message.offset), associated, body);
    write(frames_out, message);
    last_packet = next_packet;
    input(datagram(frames, body));
  }

  // Whether the latest datagram is acknowledged.
  bool acknowledged() {
    now += 2ms;
    sent.clear();
    victim->on_deadline(now);
    for (const Bytes& bytes : sent) {
      if (bytes[0] != kTypeData) continue;
      BoundedReader in(bytes);
      in.skip(1);
      const DataHeader header = read_data_header(in);
      const ByteView sealed = in.bytes(header.sealed_size);
      Bytes text(sealed.size() - kTagSize);
      Tag tag;
      std::copy(sealed.end() - kTagSize, sealed.end(), tag.begin());
      EXPECT_TRUE(session->datagram_receive.open(make_nonce(header.packet, 0),
                                                 ByteView(bytes).first(kDataHeaderSize),
                                                 sealed.first(text.size()), tag, text.data()));
      if (text_acknowledges(text, last_packet)) return true;
    }
    return false;
  }

  static bool text_acknowledges(ByteView text, std::uint64_t packet) {
    BoundedReader in(text);
    while (in.remaining() > 0) {
      const auto type = static_cast<FrameType>(in.u8());
      if (type == FrameType::kHeartbeat) {
        read_heartbeat(in);
      } else if (type == FrameType::kMessage) {
        read_message(in);
      } else if (type == FrameType::kAck) {
        const std::optional<AckFrame> ack = read_ack(in);
        if (!ack) return false;
        for (const NumberRun& run : ack->runs) {
          if (run.first <= packet && packet <= run.last) return true;
        }
      } else {
        return false;
      }
    }
    return false;
  }

  std::uint64_t refused(std::string_view reason) {
    return metrics.counter("migd_channel_refused_total{reason=\"" + std::string(reason) + "\"}")
        .value;
  }

  void on_session_up(NodeId, Boot, Instant) override {}
  void on_session_down(NodeId, std::string, Instant) override { ++downs; }
  void on_message(NodeId, std::uint8_t, ByteView, ByteView, Instant) override { ++received; }
  void on_relay(NodeId, NodeId, std::uint8_t, ByteView, Instant) override { ++relayed; }
  Bytes heartbeat_payload() override { return {}; }
  void on_heartbeat(NodeId, ByteView, Instant) override {}
  void send(const Endpoint& to, ByteView payload, std::size_t segment_size) override {
    if (to != kAttackerAddress) return;
    for (std::size_t at = 0; at < payload.size(); at += segment_size) {
      sent.push_back(to_bytes(payload.subspan(at, std::min(segment_size, payload.size() - at))));
    }
  }

  ChannelOptions options;
  sim::SimRng rng{1};
  Metrics metrics, own_metrics;
  RefusalCounters refusals{own_metrics};
  Instant now{1h};
  std::unique_ptr<ChannelEngine> victim;
  std::shared_ptr<Session> session;
  std::uint64_t next_packet = 1, last_packet = 0;
  std::vector<Bytes> sent;
  int received = 0, relayed = 0, downs = 0;
};

TEST_F(Hostile, AProperMessageIsTaken) {
  send(frame(1, 1000, 0, 1000));
  EXPECT_EQ(received, 1);
  EXPECT_TRUE(acknowledged());
}

TEST_F(Hostile, ClaimsReserveNoMoreThanThePeersShare) {
  std::uint64_t number = 1;
  for (int i = 0; i < 100; ++i)
    send(frame(number++, 100'000, 0, 1000));
  EXPECT_LE(victim->reserved_bytes(kAttacker), options.peer_memory_max);
  EXPECT_EQ(refused("memory"), 90u);
  EXPECT_FALSE(acknowledged());
  EXPECT_EQ(received, 0);
  // What has begun can be completed, and what did not fit comes again.
  for (std::uint64_t n = 1; n <= 10; ++n) {
    for (std::uint32_t at = 1000; at < 100'000; at += 1000)
      send(frame(n, 100'000, at, 1000));
  }
  EXPECT_EQ(received, 10);
  send(frame(number++, 100'000, 0, 1000));
  EXPECT_TRUE(acknowledged());
  // And what never goes on is forgotten.
  EXPECT_GT(victim->reserved_bytes(kAttacker), 0u);
  for (int i = 0; i < 15; ++i) {
    now += 1s;
    input(datagram(Bytes{3, 0}));
    victim->on_deadline(now);
  }
  EXPECT_EQ(victim->reserved_bytes(kAttacker), 0u);
  EXPECT_EQ(refused("timed_out"), 1u);
}

TEST_F(Hostile, TooManyHalfMessages) {
  start(64u << 20);
  for (std::uint64_t n = 1; n <= 5000; ++n)
    send(frame(n, 2000, 0, 1000));
  EXPECT_EQ(refused("memory"), 5000u - Tuning{}.partial_messages_max);
}

TEST_F(Hostile, ALengthOverTheLimitIsRefusedForGood) {
  send(frame(1, limits::kBlobMax + 1, 0, 1000));
  EXPECT_TRUE(acknowledged());
  send(frame(2, 0xffffffff, 0xffffff00, 100));
  EXPECT_TRUE(acknowledged());
  send(frame(3, 2u << 20, 0, 1000));  // more than the peer's share
  EXPECT_EQ(refused("oversized"), 3u);
  EXPECT_EQ(victim->reserved_bytes(kAttacker), 0u);
}

TEST_F(Hostile, FragmentsThatContradictEachOther) {
  send(frame(1, 10'000, 0, 1000));
  send(frame(1, 11'000, 1000, 1000));
  EXPECT_EQ(refused("malformed_frame"), 1u);
  send(frame(2, 10'000, 0, 1000));
  send(frame(2, 10'000, 1500, 1000));
  send(frame(2, 10'000, 1000, 1000));  // overlaps the one before
  EXPECT_EQ(refused("malformed_frame"), 2u);
  send(frame(3, 10'000, 5000, 100));  // small, in the middle
  EXPECT_EQ(refused("malformed_frame"), 3u);
  // More bytes than the body has, all ahead of a hole.
  for (std::uint32_t i = 0; i < 20; ++i)
    send(frame(4, 10'000, 1000 + i, 1000));
  EXPECT_EQ(refused("malformed_frame"), 4u);
  EXPECT_EQ(victim->reserved_bytes(kAttacker), 0u);
  EXPECT_EQ(received, 0);
}

TEST_F(Hostile, ABodyThatWasNotSealedByItsOriginIsNotTaken) {
  MessageFrame forged = frame(1, 500, 0, 500);
  Bytes frames;
  ByteWriter out(frames);
  write(out, forged);
  for (int i = 0; i < 7; ++i) {
    last_packet = next_packet;
    input(datagram(frames, Bytes(500)));
    EXPECT_FALSE(acknowledged());
  }
  EXPECT_EQ(refused("body_forged"), 7u);
  EXPECT_EQ(victim->reserved_bytes(kAttacker), 0u);
  // Given up at last, so that nobody sends it for ever.
  last_packet = next_packet;
  input(datagram(frames, Bytes(500)));
  EXPECT_TRUE(acknowledged());
  EXPECT_EQ(received, 0);
}

// Every field of the frame is bound to the body.
TEST_F(Hostile, ChangedFramesDoNotOpen) {
  const auto send_changed = [&](const std::function<void(MessageFrame&)>& change) {
    MessageFrame message = frame(1, 500, 0, 500);
    const Bytes head{'h', 'e', 'a', 'd'}, other{'H', 'e', 'a', 'd'};
    message.head_size = 4;
    message.head = head;
    Bytes body(500, 1), associated, frames;
    ByteWriter associated_out(associated), out(frames);
    write_associated(associated_out, message);
    message.tag = session->body_send.seal(make_nonce(1, 0), associated, body);
    message.head = other;
    change(message);
    if (message.head.data() == other.data() && message.kind != 1) message.head = head;
    write(out, message);
    input(datagram(frames, body));
  };
  send_changed([](MessageFrame&) {});  // the head
  EXPECT_EQ(refused("body_forged"), 1u);
  send_changed([](MessageFrame& m) { m.kind = 2; });
  EXPECT_EQ(refused("body_forged"), 2u);
  EXPECT_EQ(received, 0);
}

TEST_F(Hostile, RelayingForOthersOrToNobody) {
  MessageFrame message = frame(1, 10, 0, 10);
  message.origin = kThird;  // from the third node, but to somebody else again
  message.destination = kAttacker;
  send(message);
  EXPECT_EQ(refused("not_for_us"), 1u);
  message = frame(2, 10, 0, 10);
  message.destination = NodeId{77};
  send(message);
  EXPECT_EQ(refused("not_for_us"), 2u);
  message = frame(3, 10, 0, 10);
  message.origin = NodeId{77};
  send(message);
  EXPECT_EQ(refused("not_for_us"), 3u);
  message = frame(4, 10, 0, 10);
  message.destination = kAttacker;  // to itself
  send(message);
  EXPECT_EQ(refused("not_for_us"), 4u);
  EXPECT_EQ(relayed, 0);
}

// With the keys of the relay nobody speaks for the origin.
TEST_F(Hostile, ARelayCannotSpeakForTheOrigin) {
  MessageFrame message = frame(1, 10, 0, 10);
  message.origin = kThird;
  send(message);
  EXPECT_EQ(received, 0);
  EXPECT_EQ(refused("unknown_body_session"), 1u);
}

TEST_F(Hostile, MalformedFrames) {
  const Bytes cases[] = {
      {0},                // no such frame
      {9, 9, 9},    {1},  // cut short
      {2, 0, 1},    {3, 40},
      {3, 33, 0},   {4},
      {4, 7},  // no such cause
      {2, 1, 1, 0}, Bytes(1300, 0xff),
  };
  std::uint64_t expected = 0;
  for (const Bytes& frames : cases) {
    input(datagram(frames));
    EXPECT_EQ(refused("malformed_frame"), ++expected);
  }
  // An acknowledgement of what was never sent.
  Bytes frames;
  ByteWriter out(frames);
  write(out, AckFrame{Duration(0), {{1'000'000, 1'000'000}}});
  input(datagram(frames));
  EXPECT_EQ(refused("malformed_frame"), ++expected);
  // Nothing at all is allowed, as is a body that belongs to no frame: but that is not authentic.
  input(datagram({}));
  input(datagram({}, Bytes(10)));
  EXPECT_EQ(refused("truncated"), 1u);
  EXPECT_TRUE(victim->session_up(kAttacker));
}

TEST_F(Hostile, RefusalsOfTheEnvelopeHaveNames) {
  const Bytes good = datagram(Bytes{3, 0});
  const auto changed = [&](std::size_t at, std::uint8_t value) {
    Bytes bytes = good;
    bytes[at] = value;
    return bytes;
  };
  input({});
  input(ByteView(good).first(10));
  input(ByteView(good).first(30));
  EXPECT_EQ(refused("truncated"), 3u);
  input(changed(0, 9));
  EXPECT_EQ(refused("unknown_type"), 1u);
  input(changed(1, 9));
  EXPECT_EQ(refused("unknown_version"), 1u);
  input(changed(3, 99));
  victim->on_datagram(kVictimAddress, good, now);  // the right node from elsewhere
  EXPECT_EQ(refused("unknown_peer"), 2u);
  input(changed(5, static_cast<std::uint8_t>(good[5] + 1)));
  EXPECT_EQ(refused("unknown_session"), 1u);
  input(changed(15, static_cast<std::uint8_t>(good[15] + 1)));  // packet number
  input(changed(20, static_cast<std::uint8_t>(good[20] + 1)));
  EXPECT_EQ(refused("bad_tag"), 2u);
  input(Bytes(options.datagram_max + 1, 2));
  EXPECT_EQ(refused("oversized"), 1u);
  input(good);
  input(good);
  EXPECT_EQ(refused("replayed"), 1u);
}

TEST_F(Hostile, APacketNumberAtTheEndOfItsRangeIsSurvived) {
  next_packet = ~std::uint64_t{0} - 1;
  input(datagram(Bytes{3, 0}));
  next_packet = ~std::uint64_t{0};
  input(datagram(Bytes{3, 0}));
  next_packet = 5;
  input(datagram(Bytes{3, 0}));
  EXPECT_EQ(refused("replayed"), 1u);
  send(frame(~std::uint64_t{0}, 100, 0, 100));
  EXPECT_EQ(refused("replayed"), 2u);
  next_packet = ~std::uint64_t{0} - 2;
  send(frame(~std::uint64_t{0}, 100, 0, 100));
  send(frame(5, 100, 0, 100));
  EXPECT_EQ(received, 1);
}

TEST_F(Hostile, NoiseNeverCrashes) {
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes = random_bytes(rng, rng.below(200));
    if (!bytes.empty() && rng.chance(0.9)) bytes[0] = rng.chance(0.5) ? 1 : 2;
    if (bytes.size() > 4 && rng.chance(0.9)) {
      bytes[1] = 1;
      bytes[2] = 0;
      bytes[3] = 2;
    }
    input(bytes);
  }
  EXPECT_TRUE(victim->session_up(kAttacker));
  EXPECT_EQ(received + relayed, 0);
}

TEST_F(Hostile, AuthenticHellosOfRandomContentNeverCrash) {
  const StaticPair pair = make_static_pairs(kAttacker, {KeyPair::from_seed(2).secret}, kVictim,
                                            {KeyPair::from_seed(1).public_key})
                              .front();
  std::vector<Offer> offers(3);  // zeros among them: no valid share
  offers[1].boot = Boot{22};
  rng.fill(offers[1].share);
  for (int i = 0; i < 3000; ++i) {
    now += 20ms;
    sent.clear();
    victim->on_deadline(now);
    for (const Bytes& bytes : sent) {
      if (bytes[0] != kTypeHello) continue;
      const std::optional<Bytes> inside = open_hello(pair, bytes);
      ASSERT_TRUE(inside);
      offers[2] = read_hello(*inside)->offer;
    }
    Hello hello;
    hello.receiver = kVictim;
    hello.established = rng.chance(0.3);
    hello.answer = rng.chance(0.3);
    hello.offer = offers[rng.below(3)];
    if (rng.chance(0.3)) rng.fill(hello.offer.share);
    hello.echo = offers[rng.below(3)];
    hello.association = rng.chance(0.5) ? rng.next() : 0;
    if (rng.chance(0.2)) hello.capabilities.datagram_max = static_cast<std::uint16_t>(rng.next());
    if (rng.chance(0.2)) hello.capabilities.ciphers = static_cast<std::uint8_t>(rng.next());
    input(seal_hello(kAttacker, pair, hello, rng));
  }
}

// Authentic datagrams of random frames, half of them nearly right.
TEST_F(Hostile, AuthenticNoiseNeverCrashes) {
  for (int i = 0; i < 30'000; ++i) {
    if (i % 100 == 0) {
      now += 50ms;
      victim->on_deadline(now);
      sent.clear();
    }
    if (!victim->session_up(kAttacker)) start(1u << 20);
    Bytes frames;
    ByteWriter out(frames);
    const auto random_u32 = [&] { return static_cast<std::uint32_t>(rng.next() >> rng.below(64)); };
    switch (rng.below(4)) {
      case 0:
        frames = random_bytes(rng, rng.below(100));
        break;
      case 1: {
        std::uint64_t last = rng.below(100) + 10;
        write(out, AckFrame{Duration(rng.below(1'000'000)), {{last - rng.below(3), last}}});
        break;
      }
      default: {
        MessageFrame message =
            frame(rng.below(50), random_u32(), 0, static_cast<std::uint16_t>(rng.below(1200)));
        message.offset = static_cast<std::uint32_t>(rng.below(3) * 600);
        if (rng.chance(0.2)) message.destination = NodeId{static_cast<std::uint16_t>(rng.below(5))};
        if (rng.chance(0.5)) {
          if (std::uint64_t{message.offset} + message.size <= message.body_size) send(message);
          continue;
        }
        write(out, message);
      }
    }
    if (!frames.empty() && rng.chance(0.3)) {
      frames[rng.below(frames.size())] = static_cast<std::uint8_t>(rng.next());
    }
    input(datagram(frames, random_bytes(rng, rng.below(100))));
  }
  EXPECT_LE(victim->reserved_bytes(kAttacker), options.peer_memory_max);
}

}  // namespace
}  // namespace migd::channel::test
