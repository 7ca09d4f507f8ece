// A connection's PCB, and what lwIP does not keep, as a TcpSnapshot. Reads only. stack/ledger.h
// says where each field of the PCB goes.
#include <algorithm>
#include <vector>

#include "base/check.h"
#include "stack/ledger.h"  // its static_assert
#include "stack/recovery/marks.h"
#include "stack/snapshot_rules.h"
#include "stack/tcp_connection.h"

namespace migd {
namespace {

// Appends the last `count` bytes of a segment's buffers, which begin with headers or not.
void append_tail(Bytes& to, const pbuf* p, std::size_t count) {
  std::size_t skip = p->tot_len - count;
  for (; p != nullptr; p = p->next) {
    const std::size_t skipped = std::min<std::size_t>(skip, p->len);
    skip -= skipped;
    append(to, {static_cast<const std::uint8_t*>(p->payload) + skipped, p->len - skipped});
  }
}

// What waits on lwIP's two queues from `first` on; they are in order, the unsent behind the sent.
Bytes data_to_send(const tcp_pcb& pcb, SeqNum first) {
  std::size_t size = 0;
  for (const tcp_seg* queue : {pcb.unacked, pcb.unsent}) {
    for (const tcp_seg* s = queue; s != nullptr; s = s->next)
      size += s->len;
  }
  Bytes data;
  data.reserve(size);
  SeqNum next = first;
  for (const tcp_seg* queue : {pcb.unacked, pcb.unsent}) {
    for (const tcp_seg* s = queue; s != nullptr; s = s->next) {
      const SeqNum end = first_of(*s) + s->len;
      if (end <= next) continue;  // SYN or FIN alone, or acknowledged
      MIGD_CHECK(first_of(*s) <= next);
      append_tail(data, s->p, static_cast<std::size_t>(end - next));
      next = end;
    }
  }
  return data;
}

void capture_sending(const tcp_pcb& pcb, SeqNum write_end, TcpSnapshot& out) {
  const bool write_closed = (pcb.flags & (TF_FIN | TF_CLOSEPEND)) != 0;
  out.send_unacknowledged = SeqNum(pcb.lastack);
  out.send_next = SeqNum(pcb.snd_nxt);
  out.send_window = pcb.snd_wnd;
  out.send_window_max = pcb.snd_wnd_max;
  out.send_wl1 = SeqNum(pcb.snd_wl1);
  out.send_wl2 = SeqNum(pcb.snd_wl2);
  out.send_scale = pcb.snd_scale;
  out.write_closed = write_closed;
  if (write_closed) out.fin_sequence = write_end;
  if (pcb.state == SYN_RCVD || pcb.state == TIME_WAIT) return;  // no data is there

  out.send_data = data_to_send(pcb, out.send_unacknowledged);
  const SeqNum sent_end = std::min(out.send_next, write_end);  // without FIN
  out.send_in_flight = static_cast<std::uint32_t>(std::max(sent_end - out.send_unacknowledged, 0));
}

void capture_out_of_order(const tcp_pcb& pcb, TcpSnapshot& out) {
  for (const tcp_seg* s = pcb.ooseq; s != nullptr; s = s->next) {
    const SeqNum first(s->tcphdr->seqno);  // host order on this queue
    const bool continues =
        !out.out_of_order.empty() &&
        out.out_of_order.back().first +
                static_cast<std::uint32_t>(out.out_of_order.back().data.size()) ==
            first;
    if (!continues) out.out_of_order.push_back({.first = first, .data = {}, .fin = false});
    append_tail(out.out_of_order.back().data, s->p, s->len);
    out.out_of_order.back().fin = (TCPH_FLAGS(s->tcphdr) & TCP_FIN) != 0;
  }
  for (const tcp_sack_range& range : pcb.rcv_sacks) {
    if (range.left == range.right) break;
    // lwIP forgets the data behind a FIN that came later than the data, but not its block.
    const TcpSnapshot::SackBlock block{SeqNum(range.left), SeqNum(range.right)};
    if (holds(out, block)) out.sack_blocks.push_back(block);
  }
}

void capture_options(const tcp_pcb& pcb, TcpSnapshot& out) {
  out.window_scaling = (pcb.flags & TF_WND_SCALE) != 0;
  out.timestamps = (pcb.flags & TF_TIMESTAMP) != 0;
  out.sack = (pcb.flags & TF_SACK) != 0;
  out.ts_recent = pcb.ts_recent;
  out.ts_last_ack_sent = SeqNum(pcb.ts_lastacksent);
  out.no_delay = (pcb.flags & TF_NODELAY) != 0;
  out.traffic_class = pcb.tos;
  out.hop_limit = pcb.ttl;
  out.keepalive = ip_get_option(&pcb, SOF_KEEPALIVE) != 0;
  out.keepalive_idle = std::chrono::milliseconds(pcb.keep_idle);
  out.keepalive_interval = std::chrono::milliseconds(pcb.keep_intvl);
  out.keepalive_count = pcb.keep_cnt;
  out.keepalive_probes_sent = pcb.keep_cnt_sent;
}

void capture_congestion(const tcp_pcb& pcb, TcpSnapshot& out) {
  out.duplicate_acks = pcb.dupacks;
  out.cwnd = std::min<std::uint32_t>(pcb.cwnd, kCwndMax);
  out.ssthresh = std::min<std::uint32_t>(pcb.ssthresh, kCwndMax);
  out.cwnd_bytes_acked = std::min<std::uint32_t>(pcb.bytes_acked, kCwndMax);
  out.persist_backoff = pcb.persist_backoff;
  if (pcb.persist_backoff > 0) out.persist_probes = pcb.persist_probe;
}

void capture_recovery(const tcp_pcb& pcb, const LossRecovery& recovery, Instant now,
                      TcpSnapshot& out) {
  out.in_fast_recovery = recovery.phase() == LossRecovery::Phase::kFastRecovery;
  out.in_rto_recovery = recovery.phase() == LossRecovery::Phase::kTimeOut;
  out.recovery_end = recovery.recovery_end();
  recovery.capture(now, out.recovery, out.congestion);
  if (pcb.state == SYN_RCVD || pcb.state == TIME_WAIT) return;
  out.sent = LossRecovery::capture_sent(pcb, now);
  if (out.sent.size() > kSentRangesMax) out.sent.clear();
}

void capture_timers(const PcbTimers& timers, Instant now, TcpSnapshot& out) {
  out.rtt_known = timers.rtt().known();
  out.srtt = timers.rtt().srtt();
  out.rttvar = timers.rtt().rttvar();
  out.rto = timers.rto();
  out.retransmissions = timers.retransmissions();
  out.idle = now - timers.last_heard();
  out.time_in_state = now - timers.state_since();
  out.ts_recent_age = now - timers.ts_recent_at();
}

// A FIN that could not be queued yet, for want of memory, is one that is queued elsewhere.
TcpState state_with_pending_close(const tcp_pcb& pcb, TcpState state) {
  if ((pcb.flags & TF_CLOSEPEND) == 0) return state;
  return state == TcpState::kCloseWait ? TcpState::kLastAck : TcpState::kFinWait1;
}

}  // namespace

TcpSnapshot capture_connection(const TcpConnection& connection, Instant now) {
  MIGD_CHECK(connection.alive());
  const tcp_pcb& pcb = *connection.pcb_;
  TcpSnapshot out;
  out.tuple = connection.tuple_;
  out.state = state_with_pending_close(pcb, connection.state());
  capture_sending(pcb, connection.write_end_, out);
  out.send_buffer_limit = connection.send_buffer_limit_;

  out.receive_next = SeqNum(pcb.rcv_nxt);
  out.announced_right_edge = SeqNum(pcb.rcv_ann_right_edge);
  out.receive_scale = pcb.rcv_scale;
  out.receive_window_limit = connection.receive_window_limit_;
  out.unread.resize(connection.received_.size());
  connection.received_.peek(0, out.unread);
  out.peer_fin_received = connection.peer_closed_;
  capture_out_of_order(pcb, out);
  out.ack_pending = connection.ack_owed_ || (pcb.flags & (TF_ACK_DELAY | TF_ACK_NOW)) != 0;

  capture_options(pcb, out);
  out.mss = connection.peer_mss_;
  out.announced_mss = connection.announced_mss_;
  out.path_mtu = connection.path_mtu_;
  if (out.path_mtu != 0) out.path_mtu_age = now - connection.path_mtu_at_;
  out.ts_clock = connection.ts_clock_.milliseconds(now);
  out.ts_clock_part = connection.ts_clock_.part(now);
  capture_congestion(pcb, out);
  connection.recovery_.look(
      pcb, [&](const LossRecovery& recovery) { capture_recovery(pcb, recovery, now, out); });
  capture_timers(connection.timers_, now, out);
  out.timer_waited = connection.timers_.waited(pcb);
  if (something_waits(out)) out.unacknowledged_for = connection.timers_.unacknowledged_for();
  out.read_closed = connection.read_closed_;
  out.bytes_in = connection.bytes_in_;
  out.bytes_out = connection.bytes_out_;
  out.age = now - connection.opened_at_;
  out.retransmitted_segments = connection.retransmitted_segments_;
  return out;
}

}  // namespace migd
