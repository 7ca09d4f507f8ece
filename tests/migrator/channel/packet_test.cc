// The wire format against the vectors in tests/golden/, which scapy made (tests/scapy).
#include <gtest/gtest.h>

#include <sodium.h>

#include "migrator/channel/hello.h"
#include "migrator/channel/session.h"
#include "tests/support/golden.h"
#include "tests/support/sim_rng.h"

namespace migd::channel::test {
namespace {

Bytes golden(const std::string& name) {
  return migd::test::golden("channel_" + name);
}

template <typename Array = Key>
Array ramp(int start = 0) {
  Array bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>((static_cast<std::size_t>(start) + i) % 251);
  }
  return bytes;
}

template <typename... Parts>
Bytes written(const Parts&... parts) {
  Bytes bytes;
  ByteWriter out(bytes);
  (write(out, parts), ...);
  return bytes;
}

Hello full_hello() {
  Hello hello;
  hello.receiver = NodeId{1};
  hello.established = hello.answer = true;
  hello.offer = {Boot{0xa1a2a3a4a5a6}, ramp()};
  hello.association = 0x1122334455667788;
  hello.echo = {Boot{0xb1b2b3b4b5b6}, ramp(50)};
  hello.capabilities = {{1, 3}, {2, 0x0104}, 3, 4, 5, 3, 1432};
  return hello;
}

TEST(ChannelFormat, HelloEnvelope) {
  const Bytes bytes = golden("hello");
  ASSERT_EQ(bytes.size(), kHelloSize);
  BoundedReader in(bytes);
  EXPECT_EQ(in.u8(), kTypeHello);
  const HelloHeader header = read_hello_header(in);
  EXPECT_EQ(header.sender, NodeId{2});
  EXPECT_EQ(header.sender_key, 0xa1a2a3a4u);
  EXPECT_EQ(header.receiver_key, 0xb1b2b3b4u);
  EXPECT_EQ(written(header), Bytes(bytes.begin(), bytes.begin() + kHelloHeaderSize));
}

TEST(ChannelFormat, HelloInside) {
  const Bytes bytes = golden("hello_inside");
  EXPECT_EQ(bytes.size(), kHelloInsideSize);
  EXPECT_EQ(written(full_hello()), bytes);
  const std::optional<Hello> read = read_hello(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, full_hello());
  Bytes longer = bytes;
  longer.push_back(1);
  EXPECT_TRUE(read_hello(longer));  // what a later version adds is ignored
  for (std::size_t n = 0; n < bytes.size(); ++n)
    EXPECT_FALSE(read_hello(ByteView(bytes).first(n)));
}

TEST(ChannelFormat, DataHeader) {
  const Bytes bytes = golden("data");
  const DataHeader expected{1, NodeId{0x0102}, 0xdeadbeef, 0x0123456789abcdef, 40};
  BoundedReader in(bytes);
  EXPECT_EQ(in.u8(), kTypeData);
  EXPECT_EQ(read_data_header(in), expected);
  EXPECT_EQ(in.remaining(), 140u);
  EXPECT_EQ(written(expected), Bytes(bytes.begin(), bytes.begin() + kDataHeaderSize));
}

TEST(ChannelFormat, Frames) {
  const Bytes bytes = golden("frames");
  BoundedReader in(bytes);
  ASSERT_EQ(in.u8(), 1);
  const std::optional<AckFrame> ack = read_ack(in);
  ASSERT_TRUE(ack);
  const std::uint64_t largest = 0x100000400;
  EXPECT_EQ(*ack, (AckFrame{1234us,
                            {{largest - 63, largest},
                             {largest - 364, largest - 65},
                             {largest - 382, largest - 381}}}));
  ASSERT_EQ(in.u8(), 2);
  const std::optional<MessageFrame> message = read_message(in);
  ASSERT_TRUE(message);
  EXPECT_FALSE(message->undeliverable);
  EXPECT_EQ(message->kind, 4);
  EXPECT_EQ(message->origin, NodeId{1});
  EXPECT_EQ(message->destination, NodeId{3});
  EXPECT_EQ(message->number, 0x1122334455667788u);
  EXPECT_EQ(message->body_session, 0xcafef00du);
  EXPECT_EQ(message->body_size, 70000u);
  EXPECT_EQ(message->offset, 0u);
  EXPECT_EQ(message->size, 1200);
  EXPECT_EQ(message->tag, ramp<Tag>());
  EXPECT_EQ(as_text(message->head), "mapping header");
  EXPECT_EQ(message->wire_size(), kMessageFrameSize + 14);
  ASSERT_EQ(in.u8(), 3);
  const std::optional<HeartbeatFrame> heartbeat = read_heartbeat(in);
  ASSERT_TRUE(heartbeat);
  EXPECT_EQ(heartbeat->payload.size(), 10u);
  EXPECT_TRUE(in.finished());
  EXPECT_EQ(written(*ack, *message, *heartbeat), bytes);
  EXPECT_EQ(written(*ack).size(), wire_size(*ack));
}

TEST(ChannelFormat, LaterFragmentsHaveNoHead) {
  const Bytes bytes = golden("frame_later");
  BoundedReader in(ByteView(bytes).subspan(1));
  const std::optional<MessageFrame> message = read_message(in);
  ASSERT_TRUE(message && in.finished());
  EXPECT_EQ(message->offset, 1200u);
  EXPECT_EQ(message->head_size, 14);
  EXPECT_TRUE(message->head.empty());
  EXPECT_EQ(written(*message), bytes);
}

TEST(ChannelFormat, UndeliverableAndClose) {
  const Bytes bytes = golden("frame_undeliverable");
  BoundedReader in(ByteView(bytes).subspan(1));
  const std::optional<MessageFrame> message = read_message(in);
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->undeliverable);
  ASSERT_EQ(in.u8(), 4);
  const std::optional<CloseFrame> close = read_close(in);
  ASSERT_TRUE(close && in.finished());
  EXPECT_EQ(written(*message, *close), bytes);
}

TEST(ChannelFormat, SessionSecrets) {
  SessionTerms terms;
  terms.own = {NodeId{1}, {Boot{0xa1a2a3a4a5a6}, ramp()}, 0};
  terms.peer = {NodeId{2}, {Boot{0xb1b2b3b4b5b6}, ramp(32)}, 7};
  terms.cipher = Cipher::kAes256Gcm;
  terms.shared = ramp(64);
  StaticPair pair;
  pair.send = ramp(96);
  pair.receive = ramp(128);
  const SessionSecrets low(terms, pair);
  std::swap(terms.own, terms.peer);
  std::swap(pair.send, pair.receive);
  const SessionSecrets high(terms, pair);
  Bytes derived;
  ByteWriter out(derived);
  out.u32(low.id);
  out.u64(low.new_association);
  for (const Key& key :
       {low.datagram_send, low.body_send, low.datagram_receive, low.body_receive}) {
    out.bytes(key);
  }
  EXPECT_EQ(derived, golden("session_secrets"));
  EXPECT_EQ(high.id, low.id);
  EXPECT_EQ(high.new_association, low.new_association);
  EXPECT_EQ(high.datagram_send, low.datagram_receive);
  EXPECT_EQ(high.body_receive, low.body_send);
}

TEST(ChannelFormat, FramesCutShortAreNoFrames) {
  const Bytes bytes = golden("frames");
  const std::size_t ack_size = 24;
  const std::size_t message_size = kMessageFrameSize + 14;
  for (std::size_t n = 1; n < ack_size; ++n) {
    BoundedReader in(ByteView(bytes).subspan(1, n - 1));
    EXPECT_FALSE(read_ack(in)) << n;
  }
  for (std::size_t n = 1; n < message_size; ++n) {
    BoundedReader in(ByteView(bytes).subspan(ack_size + 1, n - 1));
    EXPECT_FALSE(read_message(in)) << n;
  }
}

TEST(ChannelFormat, AcksThatMakeNoSense) {
  const auto reads = [](std::uint8_t more, std::uint64_t largest,
                        std::initializer_list<std::uint16_t> lengths) {
    Bytes bytes;
    ByteWriter out(bytes);
    out.u8(more);
    out.u32(0);
    out.u64(largest);
    for (const std::uint16_t length : lengths)
      out.u16(length);
    BoundedReader in(bytes);
    return read_ack(in).has_value();
  };
  EXPECT_TRUE(reads(0, 5, {6}));        // 0..5
  EXPECT_FALSE(reads(0, 5, {7}));       // below 0
  EXPECT_FALSE(reads(0, 5, {0}));       // an empty run
  EXPECT_TRUE(reads(1, 5, {1, 2, 3}));  // 5, 0..2
  EXPECT_FALSE(reads(1, 5, {1, 2, 4}));
  EXPECT_FALSE(reads(1, 5, {1, 5, 1}));  // nothing is left
  EXPECT_FALSE(reads(1, 5, {1, 0, 1}));  // runs that touch
  EXPECT_FALSE(reads(200, 5, {1}));
}

TEST(ChannelFormat, MessagesThatMakeNoSense) {
  const Bytes good = golden("frame_later");
  const auto reads = [&](std::size_t at, std::uint8_t value) {
    Bytes bytes = good;
    bytes[at] = value;
    BoundedReader in(ByteView(bytes).subspan(1));
    return read_message(in).has_value();
  };
  EXPECT_TRUE(reads(2, 77));
  EXPECT_FALSE(reads(1, 0x01));   // reserved flag
  EXPECT_FALSE(reads(3, 1));      // reserved
  EXPECT_FALSE(reads(24, 0x01));  // offset behind the body
  EXPECT_FALSE(reads(30, 0x05));  // head over 1 KiB
  Bytes empty = good;
  empty[28] = empty[29] = 0;  // a fragment of nothing
  BoundedReader in(ByteView(empty).subspan(1));
  EXPECT_FALSE(read_message(in));
}

TEST(ChannelFormat, HelloIsSealedForOneDirection) {
  sim::SimRng rng(1);
  Key one_secret, two_secret;
  rng.fill(one_secret);
  rng.fill(two_secret);
  const auto public_of = [](const Key& secret) {
    const Key base{9};
    Key key;
    EXPECT_EQ(crypto_scalarmult(key.data(), secret.data(), base.data()), 0);
    return key;
  };
  const auto one = make_static_pairs(NodeId{1}, {one_secret}, NodeId{2}, {public_of(two_secret)});
  const auto two = make_static_pairs(NodeId{2}, {two_secret}, NodeId{1}, {public_of(one_secret)});
  const Bytes datagram = seal_hello(NodeId{1}, one[0], full_hello(), rng);
  EXPECT_EQ(datagram.size(), kHelloSize);
  const std::optional<Bytes> inside = open_hello(two[0], datagram);
  ASSERT_TRUE(inside);
  EXPECT_EQ(*read_hello(*inside), full_hello());
  EXPECT_FALSE(open_hello(one[0], datagram));  // not back to its sender
  EXPECT_EQ(one[0].own, two[0].peer);
}

TEST(ChannelFormat, KeysOfLowOrderAreLeftOut) {
  EXPECT_TRUE(make_static_pairs(NodeId{1}, {ramp(1)}, NodeId{2}, {Key{}}).empty());
}

}  // namespace
}  // namespace migd::channel::test
