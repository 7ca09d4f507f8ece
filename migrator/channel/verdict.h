// What becomes of a message fragment that came from a peer.
#pragma once

#include <optional>

#include "migrator/channel/packet.h"
#include "migrator/channel/refusal.h"

namespace migd::channel {

// A message that will never be delivered; its origin is told, with the head.
struct Undelivered {
  NodeId origin;
  NodeId destination;
  std::uint8_t kind = 0;
  Bytes head;
  Refusal reason = Refusal::kNoRoute;
};

// A message that came whole.
struct Delivery {
  NodeId origin;
  bool undeliverable = false;  // it is an answer to one of ours: see Undelivered
  std::uint8_t kind = 0;
  Bytes head;
  Bytes body;
};

struct Verdict {
  // Taken, or never to be taken. Otherwise the peer shall send it again.
  bool acknowledge = true;
  std::optional<Delivery> delivery;
  std::optional<Undelivered> undelivered;
};

}  // namespace migd::channel
