// Session: the keys of one agreement between two nodes, and an id that names them on the wire. A
// new session replaces the keys of an association (a pair of running nodes that know each other)
// without touching packet numbers, queues or messages; the old keys are accepted for a while.
#pragma once

#include <memory>

#include "migrator/channel/hello.h"

namespace migd::channel {

// What one side brings to a session.
struct Contribution {
  NodeId node;
  Offer offer;
  std::uint64_t association = 0;  // that it took part in when it made the offer
};

struct SessionTerms {
  Contribution own;
  Contribution peer;
  Cipher cipher = Cipher::kChaCha20Poly1305;
  Key shared{};  // X25519 of both shares
};

// What follows from the terms: BLAKE2b of both contributions (the lower node's first), the cipher
// and the shared secret, keyed with the static secret of the direction.
struct SessionSecrets {
  SessionSecrets(const SessionTerms& terms, const StaticPair& pair);
  ~SessionSecrets();

  Key datagram_send{}, body_send{};
  Key datagram_receive{}, body_receive{};
  std::uint32_t id = 0;
  std::uint64_t new_association = 0;
};

struct Session {
  Session(const SessionTerms& terms, const StaticPair& pair, Instant now);

  std::uint32_t id = 0;
  std::uint64_t new_association = 0;  // the name of the association that it would begin
  Aead datagram_send;
  Aead datagram_receive;
  Aead body_send;
  Aead body_receive;
  Instant created;
  std::uint64_t sealed_packets = 0;
  std::uint64_t sealed_bytes = 0;

 private:
  Session(const SessionSecrets& secrets, Cipher cipher, Instant now);
};

}  // namespace migd::channel
