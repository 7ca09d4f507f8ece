// StackImpl: packets from the network on their way into lwIP.
#include <algorithm>

#include "base/check.h"
#include "stack/acceptability.h"
#include "stack/frame_pbuf.h"
#include "stack/snapshot_rules.h"
#include "stack/stack_impl.h"

namespace migd {
namespace {

// A timestamp that was not renewed for so long says nothing about later ones: the peer's clock may
// have gone half around (RFC 7323 5.5).
constexpr Duration kTimestampLifetime = 24h * 24;

constexpr std::uint8_t kQuickAcks = 16;  // segments after a gap

bool opens(const TcpView& tcp) {
  constexpr std::uint8_t kMask = tcp_flag::kSyn | tcp_flag::kAck | tcp_flag::kRst | tcp_flag::kFin;
  return (tcp.flags() & kMask) == tcp_flag::kSyn;
}

// RFC 6191: whether a SYN may take over the four-tuple of a connection in TIME_WAIT.
bool may_follow(const tcp_pcb& pcb, const TcpView& syn) {
  const TcpOptions options = TcpOptions::parse(syn.options());
  const bool newer_sequence = syn.seq() > SeqNum(pcb.rcv_nxt);
  if ((pcb.flags & TF_TIMESTAMP) == 0 || !options.timestamps) return newer_sequence;
  const SeqNum value(options.timestamps->value), last(pcb.ts_recent);
  return value > last || (value == last && newer_sequence);
}

}  // namespace

namespace {

// The MSS that the peer's SYN announces, 0 without one. lwIP keeps the least of it and of our
// link's.
std::uint16_t mss_of(const TcpView& syn) {
  const TcpOptions options = TcpOptions::parse(syn.options());
  return options.well_formed ? std::min<std::uint16_t>(options.mss.value_or(0), TCP_MSS) : 0;
}

}  // namespace

tl::expected<StackImpl::Segment, DropReason> StackImpl::parse(Frame& frame) const {
  const auto ip = parse_ip(frame.bytes());
  if (!ip) return tl::unexpected(ip.error());
  if (ip->is_fragment) return tl::unexpected(DropReason::kIpFragment);
  if (ip->protocol != kProtocolTcp) return tl::unexpected(DropReason::kUnsupportedProtocol);
  if (ip->total_size - ip->header_size > 0xffff) return tl::unexpected(DropReason::kTooLarge);
  frame.truncate(ip->total_size);
  const auto tcp = TcpView::parse(frame.bytes().subspan(ip->header_size));
  if (!tcp) return tl::unexpected(tcp.error());
  return Segment{*ip, *tcp, {{ip->dst, tcp->dst_port()}, {ip->src, tcp->src_port()}}};
}

// RFC 9293 MUST-63; 1122 3.2.1.3 has the addresses that no source can have. One that is its own
// destination would have us talk to ourselves.
bool StackImpl::can_be_a_peer(const IpHeader& ip) {
  const IpAddress& src = ip.src;
  if (src.is_unspecified() || src == ip.dst) return false;
  const std::uint8_t first = src.bytes()[0];
  if (src.is_v4()) return first != 0 && first != 127 && first < 224;  // multicast, E, broadcast
  static const IpAddress loopback = *IpAddress::parse("::1");
  return first != 0xff && src != loopback;
}

int StackImpl::is_recent(const tcp_pcb* pcb, std::uint32_t tsval) {
  const auto& connection = *static_cast<const TcpConnection*>(pcb->ext_args[0].data);
  const Duration age = connection.stack_.now_ - connection.timers_.ts_recent_at();
  return SeqNum(tsval) >= SeqNum(pcb->ts_recent) || age > kTimestampLifetime ? 1 : 0;
}

Stack::InputVerdict StackImpl::input(Frame& frame, Instant now) {
  advance(now);
  const auto segment = parse(frame);
  if (!segment) {
    const auto ip = parse_ip(frame.bytes());
    if (ip && !ip->is_fragment && ip->protocol == icmp_of(ip->family())) {
      return input_icmp(frame, *ip);
    }
    drop(segment.error());
    return InputVerdict::kTaken;
  }
  TcpConnection* const connection = look_up(segment->tuple);
  if (connection != nullptr && connection->frozen_) return InputVerdict::kFrozen;
  if (connection == nullptr) return input_for_listener(frame, *segment);

  if (!l4_checksum_ok(segment->ip, frame)) {
    drop(DropReason::kBadChecksum);
    return InputVerdict::kTaken;
  }
  if (connection->pcb_->state == TIME_WAIT && opens(segment->tcp) &&
      may_follow(*connection->pcb_, segment->tcp)) {
    forced_isn_ = SeqNum(connection->pcb_->snd_nxt) + 0x10000;
    remove_pcb(*connection, CloseReason::kFinished);
    const InputVerdict verdict = input_for_listener(frame, *segment);
    forced_isn_.reset();
    return verdict;
  }
  input_for_connection(*connection, frame, *segment);
  send_unless_delivering();
  return InputVerdict::kTaken;
}

namespace {

void set_current_packet(const IpHeader& ip) {
  ip_data.current_netif = ip_data.current_input_netif = netif_default;
  ip_data.current_iphdr_src = to_lwip(ip.src);
  ip_data.current_iphdr_dest = to_lwip(ip.dst);
}

}  // namespace

Stack::InputVerdict StackImpl::input_for_listener(Frame& frame, const Segment& segment) {
  Listener* const listener = opens(segment.tcp) ? listener_of(segment.tuple.local) : nullptr;
  if (listener == nullptr || shut_down_) return InputVerdict::kNoConnection;

  const auto refuse = [this](DropReason reason) {
    drop(reason);
    return InputVerdict::kTaken;
  };
  if (!l4_checksum_ok(segment.ip, frame)) return refuse(DropReason::kBadChecksum);
  if (!can_be_a_peer(segment.ip)) return refuse(DropReason::kBadIpHeader);
  if (segment.tuple.peer.port == 0) return refuse(DropReason::kBadTcpHeader);
  if (const auto reason = no_room()) return refuse(*reason);
  // One that follows a connection takes its place.
  if (listener->half_open >= options_.backlog && !forced_isn_) {
    if (!options_.syn_cookies) return refuse(DropReason::kBacklogFull);
    answer_with_cookie(segment);
  } else {
    open(frame, segment, *listener);
  }
  send_unless_delivering();
  return InputVerdict::kTaken;
}

TcpConnection* StackImpl::open(Frame& frame, const Segment& segment, Listener& listener) {
  syn_mss_ = mss_of(segment.tcp);
  pbuf* const p = make_segment_pbuf(frame, segment.ip.header_size);
  if (p == nullptr) {
    drop(DropReason::kOutOfMemory);
    return nullptr;
  }
  set_current_packet(segment.ip);
  opened_ = nullptr;
  bool survived = false;
  {
    LwipSettings settings = settings_;
    settings.receive_window = window_now(settings.receive_window);
    InstanceScope scope(settings, ticks(), nullptr, &listener.pcb);
    auto call = [p] { tcp_input(p, netif_default); };
    survived = AssertionGuard::run(call);
    serving_ = nullptr;
    if (!survived) scope.reset_after_failure();
  }
  TcpConnection* const opened = std::exchange(opened_, nullptr);
  if (opened == nullptr) return nullptr;
  if (survived) {
    after_entry(*opened, PcbMark{});
  } else {
    quarantine(*opened);
  }
  return opened;
}

namespace {

// What counts of a segment's options once the connection is there.
struct SegmentOptions {
  LossRecovery::AckOptions ack;
  std::optional<std::uint32_t> timestamp;
};

// Most segments carry a timestamp and nothing else, in this form (RFC 7323 appendix A).
SegmentOptions options_of(const tcp_pcb& pcb, const TcpView& tcp) {
  constexpr std::uint32_t kTimestampAlone = 0x0101080a;
  const ByteView bytes = tcp.options();
  SegmentOptions found;
  if (bytes.size() == 12 && load_u32(bytes.data()) == kTimestampAlone) {
    found.timestamp = load_u32(&bytes[4]);
    found.ack.echo = load_u32(&bytes[8]);
  } else if (!bytes.empty()) {
    const TcpOptions options = TcpOptions::parse(bytes);
    found.ack.block_count = options.sack_block_count;
    found.ack.blocks = options.sack_blocks;
    if (options.timestamps) {
      found.timestamp = options.timestamps->value;
      found.ack.echo = options.timestamps->echo;
    }
  }
  if ((pcb.flags & TF_TIMESTAMP) == 0) {
    found.timestamp.reset();
    found.ack.echo.reset();
  }
  return found;
}

}  // namespace

namespace {

// What of its data is here already: acknowledged, or within a range that is told of as held.
TcpSnapshot::SackBlock duplicate_in(const tcp_pcb& pcb, const TcpView& tcp) {
  const SeqNum left = tcp.seq(), next(pcb.rcv_nxt);
  const SeqNum right = left + static_cast<std::uint32_t>(tcp.payload().size());
  if (left < next) return {left, std::min(right, next)};
  for (const tcp_sack_range& held : pcb.rcv_sacks) {
    if (SeqNum(held.left) <= left && right <= SeqNum(held.right)) return {left, right};
  }
  return {};
}

// Leaves so many bytes of data.
void cut(Frame& frame, const IpHeader& ip, const TcpView& tcp, std::size_t fits) {
  frame.data()[ip.header_size + 13] &= static_cast<std::uint8_t>(~tcp_flag::kFin);
  if (tcp.payload().size() > fits) frame.truncate(ip.header_size + tcp.header_size() + fits);
}

}  // namespace

// Cuts off what there is no memory for: it comes again. False: what is left would say nothing, or
// be taken for a duplicate ACK.
bool StackImpl::fits_memory(const TcpConnection& connection, Frame& frame, const Segment& segment) {
  const tcp_pcb& pcb = *connection.pcb_;
  const TcpView& tcp = segment.tcp;
  const std::size_t size = frame.size() - segment.ip.header_size - tcp.header_size();
  if (size == 0 || tcp.has(tcp_flag::kRst)) return true;
  // Only what continues the stream gets what each may keep: it is what lets the reader go on.
  const std::int32_t gap = tcp.seq() + (tcp.has(tcp_flag::kSyn) ? 1u : 0u) - SeqNum(pcb.rcv_nxt);
  const std::uint64_t known = gap < 0 ? static_cast<std::uint64_t>(-std::int64_t{gap}) : 0;
  const std::uint64_t room =
      gap > 0 ? memory_.left() : known + memory_.room(connection.received_.size());
  if (size <= room) return true;
  drop(DropReason::kMemoryLimit);
  if (room == 0 && tcp.ack() <= SeqNum(pcb.lastack)) return false;
  cut(frame, segment.ip, tcp, static_cast<std::size_t>(room));
  return true;
}

void StackImpl::input_for_connection(TcpConnection& connection, Frame& frame,
                                     const Segment& segment) {
  const tcp_pcb& pcb = *connection.pcb_;
  if (window_withheld(connection)) touch(connection);  // who probes it finds it open
  const SeqNum next(pcb.rcv_nxt);
  const SeqNum right_edge = next + pcb.rcv_wnd;
  const TcpView& tcp = segment.tcp;
  const SegmentOptions options = options_of(pcb, tcp);

  const bool old_timestamp = options.timestamp && is_recent(&pcb, *options.timestamp) == 0;
  if (const Acceptability found = acceptability(pcb, tcp, old_timestamp); found.why_not) {
    drop(*found.why_not);
    if (found.answer && connection.challenges_.take(now_)) {
      serve(connection, [&connection] { tcp_send_empty_ack(connection.pcb_); });
    }
    return;
  }
  // What lies beyond the window is cut off here: lwIP does so only in some of the places where it
  // queues, and asserts in another that it was done.
  const SeqNum first = tcp.seq() + (tcp.has(tcp_flag::kSyn) ? 1u : 0u);
  if (tcp.seq() + tcp.seq_length() > right_edge && first < right_edge) {
    cut(frame, segment.ip, tcp, static_cast<std::size_t>(right_edge - first));
  }
  if (!fits_memory(connection, frame, segment)) {
    connection.timers_.heard_from_peer(now_);
    return;
  }
  if (first > next && !tcp.payload().empty()) {
    if (connection.out_of_order_segments_ >= out_of_order_max(connection.receive_window_limit_)) {
      drop(DropReason::kOutOfMemory);
      serve(connection, [&connection] { tcp_send_empty_ack(connection.pcb_); });
      return;
    }
  }

  const Offload offload = frame.offload;
  const bool train = offload.gso == Offload::Gso::kTcp && tcp.payload().size() > offload.gso_size;
  pbuf* const p = make_segment_pbuf(frame, segment.ip.header_size);
  if (p == nullptr) {
    drop(DropReason::kOutOfMemory);
    return;
  }
  connection.timers_.heard_from_peer(now_);
  ack_ = {};
  ack_.options = options.ack;
  if (connection.first_heard_ == kNever) connection.first_heard_ = now_;
  // RFC 5681 4.2: what fills a gap is acknowledged at once; and so is what follows, for the
  // sender's window is small now, and an acknowledgment that waits costs it more.
  if (pcb.ooseq != nullptr) connection.quick_acks_ = kQuickAcks;
  const bool quick = connection.quick_acks_ > 0 && !tcp.payload().empty();
  if (quick) --connection.quick_acks_;
  // The second segment is acknowledged with those that are read with it: lwIP, when it finds that
  // an acknowledgment is waiting, sends it at once.
  const bool second = (pcb.flags & TF_ACK_DELAY) != 0 && first == next && !tcp.payload().empty() &&
                      !tcp.has(tcp_flag::kFin) && pcb.ooseq == nullptr;
  if (second) tcp_clear_flags(connection.pcb_, TF_ACK_DELAY);
  if (train || quick || second || pcb.ooseq != nullptr) connection.ack_soon_ = true;
  if (!tcp.payload().empty()) connection.duplicate_ = duplicate_in(pcb, tcp);
  set_current_packet(segment.ip);
  const bool has_data = tcp.seq_length() > 0;
  serve(connection, [p, has_data, second, next, &connection] {
    tcp_input(p, netif_default);
    if (has_data) connection.count_out_of_order();
    const bool refused = connection.alive() && SeqNum(connection.pcb_->rcv_nxt) == next;
    if (second && refused) tcp_set_flags(connection.pcb_, TF_ACK_DELAY);  // it goes on waiting
  });
  connection.duplicate_ = {};
}

}  // namespace migd
