// StackImpl: handshakes that no connection is kept for (stack/syn_cookies.h).
#include <algorithm>

#include "base/check.h"
#include "stack/handshake_segment.h"
#include "stack/recovery/marks.h"
#include "stack/stack_impl.h"

namespace migd {
namespace {

// RFC 9293 MUST-15
constexpr std::uint16_t mss_default(Family family) {
  return family == Family::kIpv4 ? 536 : 1220;
}

bool completes(const TcpView& tcp) {
  return tcp.has(tcp_flag::kAck) && !tcp.has(tcp_flag::kSyn) && !tcp.has(tcp_flag::kRst);
}

}  // namespace

void StackImpl::answer_with_cookie(const Segment& syn) {
  const TcpOptions offered = TcpOptions::parse(syn.tcp.options());
  HandshakeTerms terms{.mss = mss_default(syn.ip.family()), .window_scale = {}};
  if (offered.well_formed && offered.mss.value_or(0) != 0) terms.mss = *offered.mss;
  terms.timestamps = options_.timestamps && offered.timestamps.has_value();
  if (terms.timestamps) {
    if (options_.window_scaling) terms.window_scale = offered.window_scale;
    terms.sack = options_.sack && offered.sack_permitted;
  }
  const SynCookies::Cookie cookie = cookies_.make(syn.tuple, syn.tcp.seq(), terms, now_);

  HandshakeSegment answer{.src_port = syn.tuple.local.port,
                          .dst_port = syn.tuple.peer.port,
                          .seq = cookie.sequence,
                          .ack = syn.tcp.seq() + 1,
                          .flags = tcp_flag::kSyn | tcp_flag::kAck,
                          .window = static_cast<std::uint16_t>(
                              std::min<std::uint32_t>(settings_.receive_window, 0xffff)),
                          .options = terms,
                          .timestamps = {}};
  answer.options.mss = announced_mss(syn.ip.family());
  if (terms.window_scale) answer.options.window_scale = settings_.receive_scale;
  if (terms.timestamps) answer.timestamps = {cookie.timestamp, offered.timestamps->value};
  IpHeader ip;
  ip.src = syn.ip.dst;
  ip.dst = syn.ip.src;
  ip.protocol = kProtocolTcp;
  ip.hop_limit = TCP_TTL;
  outgoing_.add(ip, write_segment(answer));
  cookies_sent_.add();
}

// The SYN that the cookie answered is given to lwIP now, and the SYN/ACK that it sends is not sent:
// from here on the connection is like any other.
bool StackImpl::complete_handshake(Frame& frame, Instant now) {
  advance(now);
  if (shut_down_ || !cookies_.outstanding(now_)) return false;
  const auto ack = parse(frame);
  if (!ack || !completes(ack->tcp) || find(ack->tuple) != nullptr) return false;
  Listener* const listener = listener_of(ack->tuple.local);
  if (listener == nullptr || !can_be_a_peer(ack->ip)) return false;
  if (!l4_checksum_ok(ack->ip, frame)) {
    drop(DropReason::kBadChecksum);
    return true;
  }
  const TcpOptions options = TcpOptions::parse(ack->tcp.options());
  std::optional<std::uint32_t> echo;
  if (options.timestamps) echo = options.timestamps->echo;
  const SeqNum peer_sequence = ack->tcp.seq() - 1, sequence = ack->tcp.ack() - 1;
  if (const auto reason = no_room()) {
    drop(*reason);  // the cookie stays good
    return true;
  }
  const auto terms = cookies_.redeem(ack->tuple, peer_sequence, sequence, echo, now_);
  if (!terms) return false;

  HandshakeSegment syn{.src_port = ack->tuple.peer.port,
                       .dst_port = ack->tuple.local.port,
                       .seq = peer_sequence,
                       .ack = SeqNum(),
                       .window = ack->tcp.window(),
                       .options = *terms,
                       .timestamps = {}};
  if (options.timestamps) syn.timestamps.value = options.timestamps->value;
  TcpConnection* const connection = open_again(ack->ip, syn, sequence, *listener);
  if (connection == nullptr) return true;
  connection->ts_clock_.set(cookies_.clock_after(ack->tuple, now_), now_);
  cookies_redeemed_.add();
  input_for_connection(*connection, frame, *ack);
  send_unless_delivering();
  return true;
}

TcpConnection* StackImpl::open_again(const IpHeader& ip, const HandshakeSegment& syn,
                                     SeqNum sequence, Listener& listener) {
  const Bytes tcp = write_segment(syn);
  Frame frame = pool_->allocate(ip_header_size(ip.family()) + tcp.size());
  const MutableBytes bytes = frame.mutable_bytes();
  write_ip_header(bytes, ip, tcp.size(), 0);
  std::copy(tcp.begin(), tcp.end(), bytes.end() - static_cast<std::ptrdiff_t>(tcp.size()));
  const auto segment = parse(frame);
  MIGD_CHECK(segment.has_value());

  forced_isn_ = sequence;
  silent_ = true;
  TcpConnection* const connection = open(frame, *segment, listener);
  silent_ = false;
  forced_isn_.reset();
  if (connection == nullptr || !connection->alive()) return nullptr;
  // Nobody knows when the SYN/ACK was sent: it tells no round trip.
  if (tcp_seg* const syn_ack = connection->pcb_->unacked) {
    syn_ack->migd_marks |= kSegmentRetransmitted;
  }
  return connection;
}

}  // namespace migd
