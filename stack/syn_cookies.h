// SYN cookies: a SYN is answered without a connection being kept; all there is to know of it is in
// what the peer must send back (RFC 4987 3.6).
//
//     sequence number of the SYN/ACK      31                              4  3    2     0
//                                        +---------------------------------+----+--------+
//                                        |   keyed hash                    | ts | MSS    |
//                                        +---------------------------------+----+--------+
//     low six bits of its timestamp, if there is one: SACK (1), window scale of the peer (4; 15:
//     not scaled); stack/timestamp_clock.h has the rest of it.
//
// The hash covers the four-tuple, the peer's initial sequence number, all those bits, and the time
// in units of kPeriod: a cookie is good for one to two of them, and once. Without timestamps the
// MSS is all that is agreed on.
//
// The secret is a node's own, as is its clock: the node that answered a SYN is the one that
// completes the handshake. Forwarders send both to the same classifier, by rendezvous hashing.
#pragma once

#include <tsl/robin_set.h>
#include <cstdint>
#include <deque>
#include <optional>

#include "base/address.h"
#include "base/seq.h"
#include "base/siphash.h"
#include "base/time.h"

namespace migd {

// What a handshake has agreed on.
struct HandshakeTerms {
  std::uint16_t mss = 0;  // that the peer takes
  bool timestamps = false;
  std::optional<std::uint8_t> window_scale;  // of the peer
  bool sack = false;

  bool operator==(const HandshakeTerms&) const = default;
};

class SynCookies {
 public:
  static constexpr Duration kPeriod = 64s;
  static constexpr std::size_t kRedeemedMax = 65536;  // so many are known to be used up

  explicit SynCookies(const SipKey& key) : key_(key) {}

  struct Cookie {
    SeqNum sequence;
    std::uint32_t timestamp = 0;  // when timestamps are among the terms
  };
  // `terms` as the peer offers them, and we agree; the MSS is rounded down to one that fits.
  Cookie make(const FourTuple& tuple, SeqNum peer_sequence, HandshakeTerms terms, Instant now);

  // The acknowledgment of a cookie: what was agreed on, or nothing, when it is none of ours, too
  // old, or used up. `echo` is of our timestamp.
  std::optional<HandshakeTerms> redeem(const FourTuple& tuple, SeqNum peer_sequence,
                                       SeqNum sequence, std::optional<std::uint32_t> echo,
                                       Instant now);
  // Milliseconds that the connection's clock shows at first: behind every cookie's timestamp.
  std::uint32_t clock_after(const FourTuple& tuple, Instant now) const;

  // Whether a cookie that was made may still be good.
  bool outstanding(Instant now) const { return now < outstanding_until_; }

 private:
  std::uint64_t hash(const FourTuple& tuple, SeqNum peer_sequence, std::uint64_t period,
                     std::uint8_t low, std::uint8_t option_bits) const;
  std::uint32_t clock(const FourTuple& tuple, Instant now) const;
  bool use_up(std::uint64_t cookie, Instant now);  // false: it was used already

  const SipKey key_;
  Instant outstanding_until_{};
  tsl::robin_set<std::uint64_t> redeemed_;
  std::deque<std::pair<Instant, std::uint64_t>> redeemed_until_;  // oldest first
};

}  // namespace migd
