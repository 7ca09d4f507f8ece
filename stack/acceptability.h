// Which segments of a connection count: RFC 9293 3.10.7.4, with RFC 5961 (blind attacks) and
// RFC 7323 5 (PAWS). lwIP sees only what passes: it would take the acknowledgement, the window and
// the data of much that does not.
#pragma once

#include <cstdint>
#include <optional>

#include "base/drop_reason.h"
#include "base/packet.h"
#include "base/time.h"
#include "stack/lwip_headers.h"

namespace migd {

struct Acceptability {
  std::optional<DropReason> why_not;  // nothing: lwIP's to process
  bool answer = false;                // with an ACK that says what we expect, if one is left
};

// `old_timestamp`: the segment's is older than the newest one of the peer's that counts.
Acceptability acceptability(const tcp_pcb& pcb, const TcpView& tcp, bool old_timestamp);

// How many such ACKs a connection sends (RFC 5961 7): two peers that each take the other's for
// unacceptable, or a stranger, are not answered for ever. Each connection counts its own: what all
// share tells strangers of each other (CVE-2016-5696). It begins anew with a move: a stranger
// cannot bring one about, and each challenge is one ACK, to the client, for one packet of his.
class ChallengeBudget {
 public:
  static constexpr std::uint8_t kMost = 10;
  static constexpr Duration kPeriod = 5s;

  bool take(Instant now) {
    if (now - since_ >= kPeriod) {
      since_ = now;
      left_ = kMost;
    }
    if (left_ == 0) return false;
    --left_;
    return true;
  }

 private:
  Instant since_{};
  std::uint8_t left_ = kMost;
};

}  // namespace migd
