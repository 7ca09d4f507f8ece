// The static keys of two nodes, and what follows from them alone. Each side may hold two during a
// rotation, so a peer has up to four pairs; a HELLO names the pair it is sealed under by the ids
// of both public keys.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "migrator/channel/aead.h"

namespace migd::channel {

using KeyId = std::uint32_t;  // the first 32 bits of BLAKE2b of the public key

KeyId key_id(const Key& public_key);

// One secret key of ours with one public key of the peer. crypto_kx makes one secret for each
// direction (the node with the lower id is its client); everything else is derived from those.
struct StaticPair {
  KeyId own = 0;
  KeyId peer = 0;
  Key send{};     // secret for what we send
  Key receive{};  // and for what the peer sends
  Key hello_send{};
  Key hello_receive{};
};

// All usable pairs, ours first: a key that yields no secret (a point of low order) is left out.
std::vector<StaticPair> make_static_pairs(NodeId self, const std::vector<Key>& secret_keys,
                                          NodeId peer, const std::vector<Key>& public_keys);

// BLAKE2b keyed with `key`, of `label` and `text`.
void derive(const Key& key, std::string_view label, ByteView text, MutableBytes out);

}  // namespace migd::channel
