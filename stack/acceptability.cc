#include "stack/acceptability.h"

#include "base/seq.h"

namespace migd {
namespace {

constexpr Acceptability kAccepted{};

Acceptability drop_of(DropReason reason) {
  return {reason, false};
}

Acceptability challenge_of(DropReason reason) {
  return {reason, true};
}

// RFC 5961 3.2: only what fits exactly resets; one in the window that was offered may be an honest
// peer's who has lost count. RFC 1337: none ends TIME_WAIT.
Acceptability of_reset(const tcp_pcb& pcb, SeqNum seq) {
  const SeqNum next(pcb.rcv_nxt);
  if (pcb.state == TIME_WAIT) return drop_of(DropReason::kResetOutOfPlace);
  if (seq == next) return kAccepted;
  // In the handshake nobody is answered; a window that an ACK had told of would not move with it.
  const bool within = pcb.state != SYN_RCVD && seq > next && seq < SeqNum(pcb.rcv_ann_right_edge);
  return {DropReason::kResetOutOfPlace, within};
}

// No window ever covered any of it. One more, for a peer that has probed a closed window or sent
// its FIN there goes on with its next number. What is older lwIP answers itself.
bool is_beyond(const tcp_pcb& pcb, SeqNum seq) {
  return seq > SeqNum(pcb.rcv_nxt) + pcb.rcv_wnd + 1;
}

// The handshake is not complete: nobody but the peer of the SYN can know its numbers, and a
// stranger gets no answer (lwIP resets a wrong ACK, RFC 9293 3.10.7.4).
Acceptability in_handshake(const tcp_pcb& pcb, const TcpView& tcp, bool old_timestamp) {
  const SeqNum next(pcb.rcv_nxt);
  if (tcp.has(tcp_flag::kSyn)) {
    return tcp.seq() + 1 == next ? kAccepted : drop_of(DropReason::kSynOutOfPlace);
  }
  if (is_beyond(pcb, tcp.seq()) || tcp.seq() < next) return drop_of(DropReason::kBeyondWindow);
  if (!tcp.has(tcp_flag::kAck)) return drop_of(DropReason::kNoAcknowledgement);
  return old_timestamp ? drop_of(DropReason::kOldTimestamp) : kAccepted;
}

// Of nothing that was sent, or so old that nobody honest sends it any more (RFC 5961 5.2).
bool acknowledges_what_cannot_be(const tcp_pcb& pcb, SeqNum ack) {
  return ack > SeqNum(pcb.snd_nxt) || ack < SeqNum(pcb.lastack) - pcb.snd_wnd_max;
}

}  // namespace

Acceptability acceptability(const tcp_pcb& pcb, const TcpView& tcp, bool old_timestamp) {
  if (tcp.has(tcp_flag::kRst)) return of_reset(pcb, tcp.seq());
  if (pcb.state == SYN_RCVD) return in_handshake(pcb, tcp, old_timestamp);
  if (old_timestamp) return challenge_of(DropReason::kOldTimestamp);
  if (tcp.has(tcp_flag::kSyn)) return challenge_of(DropReason::kSynOutOfPlace);
  if (!tcp.has(tcp_flag::kAck)) return drop_of(DropReason::kNoAcknowledgement);
  if (is_beyond(pcb, tcp.seq())) return challenge_of(DropReason::kBeyondWindow);
  if (acknowledges_what_cannot_be(pcb, tcp.ack())) {
    return challenge_of(DropReason::kBadAcknowledgement);
  }
  return kAccepted;
}

}  // namespace migd
