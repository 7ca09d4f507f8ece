// Reassembly: the messages for this node, from fragments to whole bodies.
//
// A fragment counts only once it has been opened with the keys of the message's origin, so a relay
// cannot make us hold anything. A message reserves its size when its first fragment is taken, so
// that what has begun can be completed; bytes are allocated as they arrive.
#pragma once

#include <map>
#include <unordered_map>

#include "migrator/channel/number_window.h"
#include "migrator/channel/session.h"
#include "migrator/channel/tuning.h"
#include "migrator/channel/verdict.h"

namespace migd::channel {

class Reassembly {
 public:
  // `bytes_max` bounds what is being assembled from one origin.
  Reassembly(const Tuning& tuning, std::size_t bytes_max, RefusalCounters& refusals)
      : tuning_(tuning), bytes_max_(bytes_max), refusals_(refusals) {}

  // A fragment whose destination is this node. `session` is the one that sealed the body, null when
  // we do not hold it.
  Verdict on_fragment(const MessageFrame& frame, ByteView sealed, const Session* session,
                      Instant now);

  void forget(NodeId origin);  // its association is over
  void expire(Instant now);    // drops what has seen no fragment for too long
  std::size_t reserved_bytes(NodeId origin) const;

 private:
  struct Partial {
    std::uint8_t kind = 0;
    bool undeliverable = false;
    std::uint32_t body_size = 0;
    std::uint16_t head_size = 0;
    bool has_head = false;
    Bytes head;
    Bytes body;                            // what came without a hole
    std::map<std::uint32_t, Bytes> ahead;  // what lies behind a hole, by offset
    std::size_t bytes_received = 0;
    Instant last{};

    bool whole() const { return has_head && body.size() == body_size; }
    bool has(const MessageFrame& frame) const;
  };
  struct Origin {
    NumberWindow<65536> delivered;
    std::unordered_map<std::uint64_t, Partial> partials;
    std::size_t reserved = 0;
    // Fragments that did not open, by number and offset, and how often.
    std::map<std::pair<std::uint64_t, std::uint32_t>, int> unopened;
  };

  Verdict refuse(Origin& origin, const MessageFrame& frame, const Partial* partial, Refusal reason);
  Verdict not_opened(Origin& origin, const MessageFrame& frame, const Partial* partial,
                     Refusal reason);
  Verdict deliver(Origin& origin, const MessageFrame& frame, Partial& partial);
  std::optional<Refusal> cannot_begin(const Origin& origin, const MessageFrame& frame) const;
  Verdict take(Origin& origin, Partial& partial, const MessageFrame& frame, ByteView sealed,
               const Session& session, Instant now);
  bool open(const MessageFrame& frame, ByteView sealed, const Session& session, std::uint8_t* text);
  void erase(Origin& origin, std::uint64_t number);

  const Tuning& tuning_;
  const std::size_t bytes_max_;
  RefusalCounters& refusals_;
  std::unordered_map<std::uint16_t, Origin> origins_;
  Bytes scratch_;
};

}  // namespace migd::channel
