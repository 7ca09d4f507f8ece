#include "stack/pcb_attach.h"

#include <algorithm>
#include <span>

#include "base/packet.h"
#include "stack/recovery/marks.h"
#include "stack/segment_builder.h"
#include "stack/snapshot_rules.h"

namespace migd {
namespace {

tcp_state to_lwip(TcpState state) {
  switch (state) {
    case TcpState::kSynReceived:
      return SYN_RCVD;
    case TcpState::kEstablished:
      return ESTABLISHED;
    case TcpState::kCloseWait:
      return CLOSE_WAIT;
    case TcpState::kFinWait1:
      return FIN_WAIT_1;
    case TcpState::kFinWait2:
      return FIN_WAIT_2;
    case TcpState::kClosing:
      return CLOSING;
    case TcpState::kLastAck:
      return LAST_ACK;
    case TcpState::kTimeWait:
      return TIME_WAIT;
  }
  return CLOSED;
}

tcpflags_t flags_of(const TcpSnapshot& s) {
  tcpflags_t flags = 0;
  const auto set = [&flags](bool condition, tcpflags_t flag) {
    if (condition) flags = static_cast<tcpflags_t>(flags | flag);
  };
  set(s.ack_pending, TF_ACK_DELAY);
  set(s.no_delay, TF_NODELAY);
  set(s.read_closed, TF_RXCLOSED);
  set(s.fin_sequence.has_value(), TF_FIN);
  set(s.window_scaling, TF_WND_SCALE);
  set(s.timestamps, TF_TIMESTAMP);
  set(s.sack, TF_SACK);
  return flags;
}

void fill_identity(const TcpSnapshot& s, tcp_pcb& pcb) {
  pcb.local_ip = to_lwip(s.tuple.local.address);
  pcb.local_port = s.tuple.local.port;
  pcb.remote_ip = to_lwip(s.tuple.peer.address);
  pcb.remote_port = s.tuple.peer.port;
  pcb.state = to_lwip(s.state);
  pcb.flags = flags_of(s);
  pcb.tos = s.traffic_class;
  pcb.ttl = s.hop_limit;
}

void fill_receiving(const TcpSnapshot& s, tcp_pcb& pcb) {
  pcb.rcv_nxt = s.receive_next.value();
  pcb.rcv_scale = s.receive_scale;
  // What is promised, and what is held out of order, is in the window whatever the limit says, and
  // the memory that there is (TCP_WND).
  const auto unread = static_cast<std::uint32_t>(s.unread.size());
  const std::uint32_t limit = std::min<std::uint32_t>(s.receive_window_limit, TCP_WND);
  std::uint32_t window = limit - std::min(limit, unread);
  const auto reaches = [&](SeqNum end) {
    window = std::max(window, static_cast<std::uint32_t>(std::max(end - s.receive_next, 0)));
  };
  reaches(s.announced_right_edge);
  if (!s.out_of_order.empty()) {
    const TcpSnapshot::OutOfOrder& last = s.out_of_order.back();
    reaches(last.first + static_cast<std::uint32_t>(last.data.size()) + (last.fin ? 1u : 0u));
  }
  pcb.rcv_wnd = window;
  pcb.rcv_ann_right_edge = s.announced_right_edge.value();
  pcb.rcv_ann_wnd =
      static_cast<std::uint32_t>(std::max(s.announced_right_edge - s.receive_next, 0));
  for (std::size_t i = 0; i < s.sack_blocks.size(); ++i) {
    pcb.rcv_sacks[i] = {s.sack_blocks[i].left.value(), s.sack_blocks[i].right.value()};
  }
  pcb.ts_recent = s.ts_recent;
  pcb.ts_lastacksent = s.ts_last_ack_sent.value();
}

// Behind the last byte, and the FIN (SND.LBB of lwIP).
SeqNum end_of_queues(const TcpSnapshot& s) {
  if (fin_acknowledged(s)) return s.send_unacknowledged;
  const auto data = static_cast<std::uint32_t>(s.send_data.size());
  return s.send_unacknowledged + data + (s.fin_sequence.has_value() ? 1u : 0u);
}

void fill_sending(const TcpSnapshot& s, std::uint16_t mss, tcp_pcb& pcb) {
  const auto data = static_cast<std::uint32_t>(s.send_data.size());
  pcb.mss = mss;
  pcb.lastack = s.send_unacknowledged.value();
  pcb.snd_nxt = s.send_next.value();
  pcb.snd_lbb = end_of_queues(s).value();
  pcb.snd_buf = s.send_buffer_limit - data;
  pcb.snd_wnd = s.send_window;
  pcb.snd_wnd_max = s.send_window_max;
  pcb.snd_wl1 = s.send_wl1.value();
  pcb.snd_wl2 = s.send_wl2.value();
  pcb.snd_scale = s.send_scale;
  pcb.nrtx = s.retransmissions;
  pcb.dupacks = s.duplicate_acks;
  pcb.cwnd = s.cwnd;
  if (s.state != TcpState::kSynReceived) {  // less than a segment would never send one
    pcb.cwnd = std::max<std::uint32_t>(pcb.cwnd, mss);
  }
  // A recovery ends with this as the window (RFC 5681 3.1: never less than two segments).
  pcb.ssthresh = std::max<std::uint32_t>(s.ssthresh, 2u * mss);
  pcb.bytes_acked = s.cwnd_bytes_acked;
}

void fill_keep_alive(const TcpSnapshot& s, tcp_pcb& pcb) {
  if (s.keepalive) ip_set_option(&pcb, SOF_KEEPALIVE);
  pcb.keep_idle = static_cast<u32_t>(to_milliseconds(s.keepalive_idle));
  pcb.keep_intvl = static_cast<u32_t>(to_milliseconds(s.keepalive_interval));
  pcb.keep_cnt = s.keepalive_count;
  pcb.keep_cnt_sent = s.keepalive_probes_sent;
}

bool queue_syn_ack(const TcpSnapshot& s, Instant captured_at, tcp_pcb& pcb) {
  pcb.snd_lbb = pcb.lastack;
  if (tcp_enqueue_flags(&pcb, TCP_SYN | TCP_ACK) != ERR_OK) return false;
  pcb.unacked = pcb.unsent;
  pcb.unacked->migd_marks = kSegmentSent;
  if (s.retransmitted_segments > 0) pcb.unacked->migd_marks |= kSegmentRetransmitted;
  pcb.unacked->migd_sent_at = (captured_at - s.recovery.send_idle).time_since_epoch().count();
  pcb.unsent = nullptr;
  return true;
}

std::uint8_t marks_of(const SentRange& range) {
  std::uint8_t marks = kSegmentSent;
  if (range.sacked) marks |= kSegmentSacked;
  if (range.lost) marks |= kSegmentLost;
  if (range.resent) marks |= kSegmentResent;
  if (range.retransmitted) marks |= kSegmentRetransmitted;
  return marks;
}

// The segments of a range tell what it told: none reaches over its end. The last one has the FIN.
bool queue_sent(const TcpSnapshot& s, ByteView data, bool fin, Instant captured_at, tcp_pcb& pcb) {
  if (data.empty() && !fin) return true;
  // Nothing is known: then no round trip is measured by it either.
  const SentRange unknown{.length = ~std::uint32_t{0}, .retransmitted = true};
  const std::span<const SentRange> ranges =
      s.sent.empty() ? std::span(&unknown, 1) : std::span(s.sent);
  tcp_seg** end = &pcb.unacked;
  SeqNum first = s.send_unacknowledged;
  for (const SentRange& range : ranges) {
    const ByteView bytes = data.first(std::min<std::size_t>(data.size(), range.length));
    data = data.subspan(bytes.size());
    tcp_seg** const begin = end;
    if (!append_segments(pcb, end, first, bytes, fin && &range == &ranges.back())) return false;
    for (tcp_seg* segment = *begin; segment != nullptr; segment = segment->next) {
      segment->migd_marks = marks_of(range);
      segment->migd_sent_at = (captured_at - range.sent_ago).time_since_epoch().count();
    }
    first += static_cast<std::uint32_t>(bytes.size());
  }
  return true;
}

// Sent: on the queue of the unacknowledged, lost or not. A window that is probed has nothing there.
bool queue_data(const TcpSnapshot& s, Instant captured_at, tcp_pcb& pcb) {
  const bool probing = s.persist_backoff > 0;
  const std::uint32_t sent = probing ? 0 : s.send_in_flight;
  const bool fin_waits = s.fin_sequence.has_value() && !fin_acknowledged(s);
  const bool fin_in_flight = fin_waits && fin_sent(s) && !probing;
  const ByteView data(s.send_data);
  tcp_seg** unsent = &pcb.unsent;
  return queue_sent(s, data.first(sent), fin_in_flight, captured_at, pcb) &&
         append_segments(pcb, unsent, s.send_unacknowledged + sent, data.subspan(sent),
                         fin_waits && !fin_in_flight);
}

bool queue_out_of_order(const TcpSnapshot& s, tcp_pcb& pcb) {
  tcp_seg** end = &pcb.ooseq;
  for (const TcpSnapshot::OutOfOrder& range : s.out_of_order) {
    if (!append_out_of_order(pcb, end, range.first, range.data, range.fin)) return false;
  }
  return true;
}

}  // namespace

std::uint16_t mss_of_mtu(std::uint16_t mtu, Family family) {
  const std::size_t headers = ip_header_size(family) + TCP_HLEN;
  return static_cast<std::uint16_t>(std::min<std::size_t>(mtu - headers, TCP_MSS));
}

std::uint16_t mss_on_link(const TcpSnapshot& snapshot, std::uint16_t link_mtu) {
  const std::uint16_t mtu =
      snapshot.path_mtu == 0 ? link_mtu : std::min(link_mtu, snapshot.path_mtu);
  return std::min(snapshot.mss, mss_of_mtu(mtu, snapshot.tuple.local.address.family()));
}

bool cut_anew(const TcpSnapshot& snapshot, std::uint16_t mss, Instant captured_at, tcp_pcb& pcb) {
  tcp_segs_free(pcb.unacked);
  tcp_segs_free(pcb.unsent);
  pcb.unacked = pcb.unsent = nullptr;
  pcb.snd_queuelen = 0;
  pcb.mss = mss;
  pcb.snd_lbb = end_of_queues(snapshot).value();
  return segments_of(pcb, snapshot.send_data.size()) + snapshot.sent.size() < TCP_SND_QUEUELEN &&
         queue_data(snapshot, captured_at, pcb);
}

tcp_pcb* make_pcb(const TcpSnapshot& snapshot, std::uint16_t mss, Instant captured_at,
                  tcp_pcb_listen* listener) {
  tcp_pcb* const pcb = tcp_alloc(TCP_PRIO_NORMAL);
  if (pcb == nullptr) return nullptr;
  fill_identity(snapshot, *pcb);
  fill_receiving(snapshot, *pcb);
  fill_sending(snapshot, mss, *pcb);
  fill_keep_alive(snapshot, *pcb);

  bool complete =
      segments_of(*pcb, snapshot.send_data.size()) + snapshot.sent.size() < TCP_SND_QUEUELEN;
  if (snapshot.state == TcpState::kSynReceived) {
    pcb->listener = listener;
    complete = complete && queue_syn_ack(snapshot, captured_at, *pcb);
  } else {
    complete =
        complete && queue_data(snapshot, captured_at, *pcb) && queue_out_of_order(snapshot, *pcb);
  }
  if (!complete) {
    tcp_pcb_purge(pcb);
    tcp_free(pcb);
    return nullptr;
  }
  pcb->tmr = 0;
  // 0 would mean that the retransmission timer begins now (stack/pcb_timers.cc): it goes on.
  pcb->rtime = pcb->unacked != nullptr ? 1 : -1;
  if (pcb->unsent != nullptr && pcb->unacked == nullptr) {
    pcb->persist_backoff = snapshot.persist_backoff;
    pcb->persist_probe = snapshot.persist_probes;
  }
  tcp_update_rcv_ann_wnd(pcb);  // announces what has become free, when the time comes
  return pcb;
}

}  // namespace migd
