#include "migrator/channel/session.h"

#include <sodium.h>

#include <algorithm>

namespace migd::channel {
namespace {

constexpr std::string_view kKeysLabel = "migd channel session 1";
constexpr std::string_view kIdLabel = "migd channel session id 1";

void write(ByteWriter& out, const Contribution& c) {
  out.u16(c.node.value);
  out.u64(c.offer.boot.value);
  out.bytes(c.offer.share);
  out.u64(c.association);
}

// Everything that both sides must agree on, the lower node first.
Bytes transcript(const SessionTerms& terms) {
  const bool own_first = terms.own.node < terms.peer.node;
  Bytes text;
  ByteWriter out(text);
  write(out, own_first ? terms.own : terms.peer);
  write(out, own_first ? terms.peer : terms.own);
  out.u8(static_cast<std::uint8_t>(terms.cipher));
  out.bytes(terms.shared);
  return text;
}

void expand(const Key& secret, ByteView text, Key& datagram, Key& body) {
  std::uint8_t both[64];
  derive(secret, kKeysLabel, text, both);
  std::copy(both, both + 32, datagram.begin());
  std::copy(both + 32, both + 64, body.begin());
  sodium_memzero(both, sizeof both);
}

}  // namespace

SessionSecrets::SessionSecrets(const SessionTerms& terms, const StaticPair& pair) {
  Bytes text = transcript(terms);
  expand(pair.send, text, datagram_send, body_send);
  expand(pair.receive, text, datagram_receive, body_receive);
  std::uint8_t names[crypto_generichash_BYTES_MIN];
  derive(terms.own.node < terms.peer.node ? pair.send : pair.receive, kIdLabel, text, names);
  BoundedReader in({names, sizeof names});
  id = in.u32();
  new_association = in.u64() | 1;  // never 0, which means none
  sodium_memzero(text.data(), text.size());
}

SessionSecrets::~SessionSecrets() {
  for (Key* key : {&datagram_send, &body_send, &datagram_receive, &body_receive}) {
    sodium_memzero(key->data(), key->size());
  }
}

Session::Session(const SessionTerms& terms, const StaticPair& pair, Instant now)
    : Session(SessionSecrets(terms, pair), terms.cipher, now) {}

Session::Session(const SessionSecrets& secrets, Cipher cipher, Instant now)
    : id(secrets.id),
      new_association(secrets.new_association),
      datagram_send(cipher, secrets.datagram_send),
      datagram_receive(cipher, secrets.datagram_receive),
      body_send(cipher, secrets.body_send),
      body_receive(cipher, secrets.body_receive),
      created(now) {}

}  // namespace migd::channel
