#include "migrator/channel/static_keys.h"

#include <sodium.h>

#include "base/check.h"

namespace migd::channel {

static_assert(crypto_kx_SESSIONKEYBYTES == 32 && crypto_kx_PUBLICKEYBYTES == 32 &&
              crypto_kx_SECRETKEYBYTES == 32);

KeyId key_id(const Key& public_key) {
  std::uint8_t hash[crypto_generichash_BYTES_MIN];
  crypto_generichash(hash, sizeof hash, public_key.data(), public_key.size(), nullptr, 0);
  return BoundedReader({hash, sizeof hash}).u32();
}

void derive(const Key& key, std::string_view label, ByteView text, MutableBytes out) {
  crypto_generichash_state state;
  const auto label_size = static_cast<std::uint8_t>(label.size());
  crypto_generichash_init(&state, key.data(), key.size(), out.size());
  crypto_generichash_update(&state, &label_size, 1);
  crypto_generichash_update(&state, as_bytes(label).data(), label.size());
  crypto_generichash_update(&state, text.data(), text.size());
  crypto_generichash_final(&state, out.data(), out.size());
  sodium_memzero(&state, sizeof state);
}

std::vector<StaticPair> make_static_pairs(NodeId self, const std::vector<Key>& secret_keys,
                                          NodeId peer, const std::vector<Key>& public_keys) {
  MIGD_CHECK(sodium_init() >= 0);
  const auto exchange = self < peer ? crypto_kx_client_session_keys : crypto_kx_server_session_keys;
  std::vector<StaticPair> pairs;
  for (const Key& secret : secret_keys) {
    Key own_public;
    crypto_scalarmult_base(own_public.data(), secret.data());
    for (const Key& peer_public : public_keys) {
      StaticPair pair;
      pair.own = key_id(own_public);
      pair.peer = key_id(peer_public);
      if (exchange(pair.receive.data(), pair.send.data(), own_public.data(), secret.data(),
                   peer_public.data()) != 0) {
        continue;
      }
      derive(pair.send, "migd hello 1", {}, pair.hello_send);
      derive(pair.receive, "migd hello 1", {}, pair.hello_receive);
      pairs.push_back(pair);
    }
  }
  return pairs;
}

}  // namespace migd::channel
