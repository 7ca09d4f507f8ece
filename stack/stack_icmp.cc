// StackImpl: what is learnt of the path to a peer: from ICMP errors, which may be forged (RFC
// 5927), and from silence (RFC 4821).
#include "stack/path_mtu.h"
#include "stack/pcb_attach.h"
#include "stack/recovery/marks.h"
#include "stack/stack_impl.h"

namespace migd {
namespace {

// Not while a FIN waits for memory (PcbTimers): the snapshot has it already, and it would be queued
// twice.
bool can_be_cut_anew(const tcp_pcb& pcb) {
  return pcb.state >= ESTABLISHED && (pcb.flags & TF_CLOSEPEND) == 0;
}

}  // namespace

// All but "too big" are about what may pass, and change nothing (RFC 9293 MUST-54, MUST-55; RFC
// 5927 6 has the hard ones as well).
Stack::InputVerdict StackImpl::input_icmp(const Frame& frame, const IpHeader& ip) {
  const auto ignore = [this](DropReason reason) {
    drop(reason);
    return InputVerdict::kTaken;
  };
  const auto icmp =
      IcmpView::parse(frame.bytes().subspan(ip.header_size, ip.total_size - ip.header_size));
  if (!icmp) return ignore(icmp.error());
  const auto quoted = quoted_segment(*icmp, ip.family());
  if (!quoted || quoted->flow.local.address != ip.dst) return ignore(DropReason::kIcmpIgnored);
  TcpConnection* const connection = table_.find(quoted->flow);
  if (connection == nullptr) return InputVerdict::kNoConnection;
  if (connection->frozen_) return InputVerdict::kFrozen;
  if (!l4_checksum_ok(ip, frame)) return ignore(DropReason::kBadChecksum);
  const tcp_pcb& pcb = *connection->pcb_;
  if (quoted->seq < SeqNum(pcb.lastack) || quoted->seq >= SeqNum(pcb.snd_nxt)) {
    return ignore(DropReason::kIcmpNotInFlight);
  }
  const auto mtu = path_mtu_of(*icmp, ip.family(), *quoted);
  if (!mtu || !can_be_cut_anew(pcb) || mss_of_mtu(*mtu, ip.family()) >= pcb.mss) {
    return ignore(DropReason::kIcmpIgnored);
  }
  lower_path_mtu(*connection, *mtu);
  send_unless_delivering();
  return InputVerdict::kTaken;
}

// The segment at SND.UNA was lost again and again, perhaps by a router that does not say that it
// was too big, or whose word does not come through. When it was not, nothing is lost by smaller
// ones.
void StackImpl::try_smaller_segments(TcpConnection& connection) {
  const tcp_pcb& pcb = *connection.pcb_;
  const tcp_seg& first = *pcb.unacked;
  const Family family = connection.tuple_.local.address.family();
  const std::size_t size =
      ip_header_size(family) + TCP_HLEN + LWIP_TCP_OPT_LENGTH(first.flags) + first.len;
  const bool again = connection.timers_.retransmissions() > PcbTimers::kBlackHoleTimeOuts;
  const auto mtu = path_mtu_to_try(family, size, again);
  if (mtu && can_be_cut_anew(pcb)) {
    black_holes_.add();
    lower_path_mtu(connection, *mtu);
  } else {
    serve(connection, [&connection] { tcp_output(connection.pcb_); });
  }
}

// What waits for an acknowledgment is cut anew. What was too big did not arrive, and congestion was
// not why: it is sent again at once, as far as the window allows (RFC 1191 6.4).
void StackImpl::lower_path_mtu(TcpConnection& connection, std::uint16_t mtu) {
  tcp_pcb& pcb = *connection.pcb_;
  const std::uint16_t mss = mss_of_mtu(mtu, connection.tuple_.local.address.family());
  connection.path_mtu_ = mtu;
  connection.path_mtu_at_ = now_;
  connection.recovery_.wake(pcb).on_too_big(pcb, mss);
  const TcpSnapshot whole = capture_connection(connection, now_);
  bool complete = false;
  const bool survived = serve(connection, [&] {
    complete = cut_anew(whole, mss, now_, pcb);
    if (!complete) return;
    connection.recovery_.wake(pcb).recount(pcb);
    tcp_output(&pcb);
  });
  if (survived && !complete) {
    drop(DropReason::kOutOfMemory);
    reset(connection, CloseReason::kInternalError);
  }
}

}  // namespace migd
