#include "migrator/channel/hello.h"

#include <sodium.h>

#include <algorithm>

#include "base/check.h"

namespace migd::channel {
namespace {

constexpr std::uint8_t kEstablishedFlag = 0x80;
constexpr std::uint8_t kAnswerFlag = 0x40;
constexpr std::uint8_t kAesBit = 0x02;

static_assert(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == kHelloNonceSize);
static_assert(crypto_aead_xchacha20poly1305_ietf_ABYTES == kTagSize);

bool overlap(VersionRange a, VersionRange b) {
  return a.lowest <= b.highest && b.lowest <= a.highest;
}

void write(ByteWriter& out, const Offer& offer) {
  out.u64(offer.boot.value);
  out.bytes(offer.share);
}

Offer read_offer(BoundedReader& in) {
  Offer offer;
  offer.boot = Boot{in.u64()};
  const ByteView share = in.bytes(offer.share.size());
  std::copy(share.begin(), share.end(), offer.share.begin());
  return offer;
}

}  // namespace

std::optional<Refusal> incompatibility(const Capabilities& ours, const Capabilities& theirs) {
  if (!overlap(ours.channel, theirs.channel)) return Refusal::kNoCommonChannel;
  if (!overlap(ours.blob, theirs.blob)) return Refusal::kNoCommonBlob;
  if ((ours.encapsulations & theirs.encapsulations) == 0) return Refusal::kNoCommonEncapsulation;
  if (ours.timestamp_layout != theirs.timestamp_layout) return Refusal::kTimestampLayout;
  if (ours.window_profile != theirs.window_profile) return Refusal::kWindowProfile;
  return std::nullopt;
}

Cipher common_cipher(const Capabilities& ours, const Capabilities& theirs) {
  return (ours.ciphers & theirs.ciphers & kAesBit) != 0 ? Cipher::kAes256Gcm
                                                        : Cipher::kChaCha20Poly1305;
}

void write(ByteWriter& out, const HelloHeader& header) {
  out.u8(kTypeHello);
  out.u8(header.version);
  out.u16(header.sender.value);
  out.u32(header.sender_key);
  out.u32(header.receiver_key);
}

HelloHeader read_hello_header(BoundedReader& in) {
  HelloHeader header;
  header.version = in.u8();
  header.sender = NodeId{in.u16()};
  header.sender_key = in.u32();
  header.receiver_key = in.u32();
  return header;
}

void write(ByteWriter& out, const Hello& hello) {
  out.u16(hello.receiver.value);
  out.u8(static_cast<std::uint8_t>((hello.established ? kEstablishedFlag : 0) |
                                   (hello.answer ? kAnswerFlag : 0)));
  out.u8(0);
  write(out, hello.offer);
  out.u64(hello.association);
  write(out, hello.echo);
  const Capabilities& c = hello.capabilities;
  out.u8(static_cast<std::uint8_t>(c.channel.lowest));
  out.u8(static_cast<std::uint8_t>(c.channel.highest));
  out.u16(c.blob.lowest);
  out.u16(c.blob.highest);
  out.u8(c.encapsulations);
  out.u8(c.timestamp_layout);
  out.u8(c.window_profile);
  out.u8(c.ciphers);
  out.u16(c.datagram_max);
}

std::optional<Hello> read_hello(ByteView inside) {
  BoundedReader in(inside);
  Hello hello;
  hello.receiver = NodeId{in.u16()};
  const std::uint8_t flags = in.u8();
  hello.established = (flags & kEstablishedFlag) != 0;
  hello.answer = (flags & kAnswerFlag) != 0;
  in.skip(1);
  hello.offer = read_offer(in);
  hello.association = in.u64();
  hello.echo = read_offer(in);
  Capabilities& c = hello.capabilities;
  c.channel.lowest = in.u8();
  c.channel.highest = in.u8();
  c.blob.lowest = in.u16();
  c.blob.highest = in.u16();
  c.encapsulations = in.u8();
  c.timestamp_layout = in.u8();
  c.window_profile = in.u8();
  c.ciphers = in.u8();
  c.datagram_max = in.u16();
  if (!in.ok() || c.datagram_max < kDatagramMin) return std::nullopt;
  return hello;
}

Bytes seal_hello(NodeId sender, const StaticPair& pair, const Hello& hello, Rng& rng) {
  Bytes datagram;
  ByteWriter out(datagram);
  write(out, HelloHeader{kHelloVersion, sender, pair.own, pair.peer});
  const std::size_t nonce_at = out.reserve(kHelloNonceSize);
  const std::size_t tag_at = out.reserve(kTagSize);
  write(out, hello);
  std::uint8_t* const nonce = datagram.data() + nonce_at;
  std::uint8_t* const tag = datagram.data() + tag_at;
  std::uint8_t* const text = tag + kTagSize;
  rng.fill({nonce, kHelloNonceSize});
  crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
      text, tag, nullptr, text, datagram.size() - tag_at - kTagSize, datagram.data(),
      kHelloHeaderSize, nullptr, nonce, pair.hello_send.data());
  return datagram;
}

std::optional<Bytes> open_hello(const StaticPair& pair, ByteView datagram) {
  BoundedReader in(datagram);
  const ByteView header = in.bytes(kHelloHeaderSize);
  const ByteView nonce = in.bytes(kHelloNonceSize);
  const ByteView tag = in.bytes(kTagSize);
  if (!in.ok()) return std::nullopt;
  Bytes inside(in.remaining());
  if (crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
          inside.data(), nullptr, in.rest().data(), in.remaining(), tag.data(), header.data(),
          header.size(), nonce.data(), pair.hello_receive.data()) != 0) {
    return std::nullopt;
  }
  return inside;
}

}  // namespace migd::channel
