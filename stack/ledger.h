// The ledger: every field of lwIP's PCB, and its fate when a connection moves. A field is
//
//   carried     found in TcpSnapshot, and restored as it was
//   rebased     a time or a clock: it travels as a duration and becomes one of the target's
//   recomputed  follows from what was carried
//   reset       begins anew, harmlessly
//   local       means nothing elsewhere
//
// tests/stack/ledger_test.cc compares the names with the struct that is compiled in: a field that
// appears, disappears or is renamed fails the build or that test.
#pragma once

#include <array>
#include <string_view>

#include "stack/lwip_headers.h"

namespace migd {

enum class Fate { kCarried, kRebased, kRecomputed, kReset, kLocal };

struct LedgerEntry {
  std::string_view field;
  std::size_t offset;
  std::size_t size;
  Fate fate;
  std::string_view why;
};

#define MIGD_LEDGER(field, fate, why)                                         \
  LedgerEntry {                                                               \
#field, offsetof(tcp_pcb, field), sizeof(tcp_pcb::field), Fate::fate, why \
  }

// In the order of the struct.
inline constexpr std::array kLedger{
    MIGD_LEDGER(local_ip, kCarried, "tuple"),
    MIGD_LEDGER(remote_ip, kCarried, "tuple"),
    MIGD_LEDGER(netif_idx, kLocal, "there is one interface"),
    MIGD_LEDGER(so_options, kCarried, "keepalive; no other option is used"),
    MIGD_LEDGER(tos, kCarried, "traffic_class"),
    MIGD_LEDGER(ttl, kCarried, "hop_limit"),
    MIGD_LEDGER(next, kLocal, "list link"),
    MIGD_LEDGER(callback_arg, kLocal, "the connection object"),
    MIGD_LEDGER(ext_args, kLocal, "the connection object"),
    MIGD_LEDGER(state, kCarried, "state; a close that waits for memory counts as done"),
    MIGD_LEDGER(prio, kLocal, "nothing is killed for another"),
    MIGD_LEDGER(local_port, kCarried, "tuple"),
    MIGD_LEDGER(remote_port, kCarried, "tuple"),
    MIGD_LEDGER(flags, kCarried,
                "read_closed, fin_sequence, no_delay, window_scaling, timestamps, sack; "
                "ack_pending becomes "
                "the ACK after the thaw; recoveries are of LossRecovery"),
    MIGD_LEDGER(polltmr, kLocal, "not used"),
    MIGD_LEDGER(pollinterval, kLocal, "not used"),
    MIGD_LEDGER(last_timer, kLocal, "not used: timers are ours"),
    MIGD_LEDGER(tmr, kRebased, "idle and time_in_state, kept by PcbTimers"),
    MIGD_LEDGER(rcv_nxt, kCarried, "receive_next"),
    MIGD_LEDGER(rcv_wnd, kRecomputed, "receive_window_limit, unread, and what was promised"),
    MIGD_LEDGER(rcv_ann_wnd, kRecomputed, "announced_right_edge - receive_next"),
    MIGD_LEDGER(rcv_ann_right_edge, kCarried, "announced_right_edge"),
    MIGD_LEDGER(rcv_sacks, kCarried, "sack_blocks, in their order"),
    MIGD_LEDGER(rtime, kRebased, "timer_waited, kept by PcbTimers"),
    MIGD_LEDGER(mss, kRecomputed,
                "mss is the peer's; cut to what the target's link and the path take"),
    MIGD_LEDGER(rttest, kLocal, "not used: sent has the send times"),
    MIGD_LEDGER(rtseq, kLocal, "not used: sent has the send times"),
    MIGD_LEDGER(sa, kLocal, "not used: srtt of PcbTimers is carried"),
    MIGD_LEDGER(sv, kLocal, "not used: rttvar of PcbTimers is carried"),
    MIGD_LEDGER(rto, kLocal, "not used: rto of PcbTimers is carried"),
    MIGD_LEDGER(nrtx, kCarried, "retransmissions"),
    MIGD_LEDGER(dupacks, kCarried, "duplicate_acks"),
    MIGD_LEDGER(lastack, kCarried, "send_unacknowledged"),
    MIGD_LEDGER(cwnd, kCarried, "cwnd; at least a segment"),
    MIGD_LEDGER(ssthresh, kCarried, "ssthresh"),
    MIGD_LEDGER(rto_end, kLocal, "not used: recovery_end of LossRecovery is carried"),
    MIGD_LEDGER(snd_nxt, kCarried, "send_next"),
    MIGD_LEDGER(snd_wl1, kCarried, "send_wl1"),
    MIGD_LEDGER(snd_wl2, kCarried, "send_wl2"),
    MIGD_LEDGER(snd_lbb, kRecomputed, "the end of send_data, and the FIN"),
    MIGD_LEDGER(snd_wnd, kCarried, "send_window"),
    MIGD_LEDGER(snd_wnd_max, kCarried, "send_window_max"),
    MIGD_LEDGER(snd_buf, kRecomputed, "send_buffer_limit less send_data"),
    MIGD_LEDGER(snd_queuelen, kRecomputed, "buffers of the new queues"),
    MIGD_LEDGER(bytes_acked, kCarried, "cwnd_bytes_acked"),
    MIGD_LEDGER(unsent, kCarried, "send_data, cut anew: what was not sent"),
    MIGD_LEDGER(unacked, kCarried, "send_data, cut anew by sent: what was sent"),
    MIGD_LEDGER(ooseq, kCarried, "out_of_order"),
    MIGD_LEDGER(refused_data, kLocal, "never there: all data is taken, into unread"),
    MIGD_LEDGER(listener, kLocal, "the target's, in SYN_RCVD"),
    MIGD_LEDGER(sent, kLocal, "callback"),
    MIGD_LEDGER(recv, kLocal, "callback"),
    MIGD_LEDGER(connected, kLocal, "callback"),
    MIGD_LEDGER(poll, kLocal, "callback"),
    MIGD_LEDGER(errf, kLocal, "callback"),
    MIGD_LEDGER(ts_lastacksent, kCarried, "ts_last_ack_sent"),
    MIGD_LEDGER(ts_recent, kCarried, "ts_recent"),
    MIGD_LEDGER(keep_idle, kCarried, "keepalive_idle"),
    MIGD_LEDGER(keep_intvl, kCarried, "keepalive_interval"),
    MIGD_LEDGER(keep_cnt, kCarried, "keepalive_count"),
    MIGD_LEDGER(persist_cnt, kRebased, "timer_waited, kept by PcbTimers"),
    MIGD_LEDGER(persist_backoff, kCarried, "persist_backoff"),
    MIGD_LEDGER(persist_probe, kCarried, "persist_probes"),
    MIGD_LEDGER(keep_cnt_sent, kCarried, "keepalive_probes_sent"),
    MIGD_LEDGER(snd_scale, kCarried, "send_scale"),
    MIGD_LEDGER(rcv_scale, kCarried, "receive_scale"),
};

#undef MIGD_LEDGER

#if UINTPTR_MAX == UINT64_MAX
static_assert(sizeof(tcp_pcb) == 336, "lwIP's PCB has changed: settle each new field above");
static_assert(sizeof(tcp_seg) == 40, "lwIP's segment has changed: does send_data or sent tell it?");
#endif

}  // namespace migd
